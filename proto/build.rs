//! Compiles the messages with protox, so that no `protoc` has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "foreshock/v1/feedback.proto",
        "foreshock/v1/finding.proto",
        "foreshock/v1/incident.proto",
        "foreshock/v1/summary.proto",
        "foreshock/v1/control.proto",
    ];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    prost_build::Config::new().bytes([".foreshock.v1"]).btree_map(["."]).compile_fds(descriptors)?;
    Ok(())
}
