//! sharp, in a Node process that reads jobs from its standard input.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sharp");

/// The fastest pipeline, so that a process whose memory is measured need not try all.
static BEST: OnceLock<String> = OnceLock::new();

pub struct Sharp {
    process: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sharp {
    /// Returns `None` if sharp is not installed.
    pub fn start(picture: &Path) -> Option<Self> {
        if !Path::new(FOLDER).join("node_modules/sharp").exists() {
            println!("sharp is not installed: npm install --prefix benches/sharp");
            return None;
        }
        let mut command = node();
        command.arg(picture).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(best) = BEST.get() {
            command.env("WAY", best);
        }
        let mut process = command.spawn().ok()?;
        let asked = process.stdin.take()?;
        let answers = BufReader::new(process.stdout.take()?);
        let mut sharp = Self { process, asked, answers };
        let way = sharp.answer();
        println!("sharp's fastest pipeline: {way}");
        BEST.get_or_init(|| way);
        Some(sharp)
    }

    /// Writes its renditions to a folder.
    pub fn write(picture: &Path, folder: &Path) {
        if BEST.get().is_some() {
            assert!(node().arg(picture).arg(folder).status().unwrap().success());
        }
    }

    /// Returns the time of this number of runs of a job.
    pub fn take(&mut self, job: &str, times: u64) -> Duration {
        (0..times)
            .map(|_| {
                writeln!(self.asked, "{job}").unwrap();
                Duration::from_nanos(self.answer().parse().unwrap())
            })
            .sum()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.arg("serve.mjs").current_dir(FOLDER);
    command
}

impl Drop for Sharp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
