//! Prints `line_no,template_id,template` for every line of a log file, template ids as they stand at its end.
//!
//! `cargo run --release -p foreshock-template --example loghub -- FILE > found.csv`, to be scored with templates.py.

use std::{env, fs, io::Write, process::ExitCode};

use foreshock_template::{Miner, Shaper, SourceFormat};

fn main() -> ExitCode {
    let Some(path) = env::args().nth(1) else {
        eprintln!("name a log file: loghub FILE");
        return ExitCode::from(2);
    };
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{path} can't be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let (mut format, mut shaper, mut miner) = (SourceFormat::default(), Shaper::new(), Miner::default());
    let mut shape_text = String::new();
    let templates: Vec<_> = text
        .lines()
        .map(|line| {
            shaper.shape(format.parse(line, 0).content);
            shape_text.clear();
            shaper.write_tokens(&mut shape_text);
            miner.learn(&shape_text).template
        })
        .collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut rows = || -> std::io::Result<()> {
        writeln!(out, "line_no,template_id,template")?;
        for (line, template) in templates.iter().enumerate() {
            let id = miner.resolve(*template);
            writeln!(out, "{},{:016x},\"{}\"", line + 1, id.0, miner.render(id).replace('"', "\"\""))?;
        }
        out.flush()
    };
    match rows() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the table can't be written: {error}");
            ExitCode::FAILURE
        }
    }
}
