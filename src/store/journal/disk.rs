//! The file system as the journal needs it, so that a test can stand in for a full or failing disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{FallocateFlags, fallocate};

/// Where segments are made.
pub trait Disk: Send + Sync {
    /// Makes a file of `bytes` zeros whose space is taken already, readable by the owner only.
    fn prepare(&self, path: &Path, bytes: u64) -> io::Result<Arc<dyn Segment>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes names durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// One open segment.
pub trait Segment: Send + Sync {
    /// Writes all of `bytes` at `offset`, or fails. What a failed write left behind is written over by the next one.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// fdatasync.
    fn sync(&self) -> io::Result<()>;
}

/// The real thing.
pub struct Files;

impl Disk for Files {
    fn prepare(&self, path: &Path, bytes: u64) -> io::Result<Arc<dyn Segment>> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let length = i64::try_from(bytes).map_err(io::Error::other)?;
        match fallocate(&file, FallocateFlags::empty(), 0, length) {
            Ok(()) => {}
            // Not every file system can (NFS, some overlays): the space is then taken by the writes themselves.
            Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::ENOSYS) => file.set_len(bytes)?,
            Err(errno) => return Err(errno.into()),
        }
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl Segment for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
