//! The example `server` as a process of its own, in a folder that goes with it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use tempfile::TempDir;

pub const KEY: &str = "the-key-of-the-load";

pub struct Server {
    process: Child,
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// Starts it on a free port, and waits until it says where it listens.
    pub fn start(program: &Path, max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(program)
            .env_clear()
            .envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("SERVICE_KEY", KEY)])
            .env("STORAGE", folder.path())
            .env("MAX_BYTES", max_bytes.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                let line = line.unwrap();
                let rest = line.split("http://").nth(1)?;
                rest.split(' ').next()?.parse().ok()
            })
            .expect("it says where it listens");
        thread::spawn(move || lines.for_each(drop));
        Self { process, address, _folder: folder }
    }

    /// What the system knows of it: `VmRSS`, the memory that it has, or `VmHWM`, the most that it had.
    pub fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kibibytes = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() << 10
    }

    /// Lets the most memory that it had be what it has now, and returns whether the system allows that.
    pub fn forget_peak(&self) -> bool {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is of no use any more, and neither is what it keeps.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
