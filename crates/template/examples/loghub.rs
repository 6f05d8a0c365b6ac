fn main() {
    let path = std::env::args().nth(1).expect("file");
    let text = String::from_utf8_lossy(&std::fs::read(path).expect("read")).into_owned();
    let mut f = foreshock_template::SourceFormat::default();
    let mut s = foreshock_template::Shaper::new();
    println!("line_no,template_id,template");
    for (i, line) in text.lines().enumerate() {
        let l = f.parse(line, 1_500_000_000_000_000_000);
        let sh = s.shape(l.content);
        let mut o = String::new();
        s.write_tokens(&mut o);
        println!("{},{:x},\"{}\"", i + 1, sh.hash.0 as u64, o.replace('"', "\"\""));
    }
}
