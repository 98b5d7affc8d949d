//! The example `server` as a process, in a temporary folder.

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
    /// Starts the server on a free port, and waits until it prints its address.
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
            .expect("the server prints its address");
        thread::spawn(move || lines.for_each(drop));
        Self { process, address, _folder: folder }
    }

    /// Returns `VmRSS`, the current memory of the process, or `VmHWM`, its peak.
    pub fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kibibytes = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() << 10
    }

    /// Resets the peak memory to the current memory. Returns whether the system supports that.
    pub fn forget_peak(&self) -> bool {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder is temporary, so the process can be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
