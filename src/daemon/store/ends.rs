//! Room on disk for ends that the store does not take: a small file beside it, written in full when it is made, so
//! that a full disk has room for them.
//!
//! Records are appended over zeros that are there already and forced to disk one by one. Each has its length and a
//! checksum before it; a length of zero ends the file. A record that a crash left incomplete was never acknowledged.
//! Knows nothing of what the records say.

use super::StoreError;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Octets of the file. A record takes up a few hundred.
const SIZE: usize = 1 << 20;

/// Octets before each record: its length and its checksum.
const HEADER: usize = 4 + CHECKSUM;
const CHECKSUM: usize = 8;

/// The file. All that it holds is in memory, too.
#[derive(Debug)]
pub(super) struct Ends {
    file: File,
    /// Where the next record begins.
    end: usize,
    records: Vec<Vec<u8>>,
}

impl Ends {
    /// Opens the file, and makes it when it is not there or was not finished.
    ///
    /// # Errors
    /// The disk's. A file that is too short and for which there is no room is an error.
    pub(super) fn open(path: &Path) -> std::io::Result<Ends> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(SIZE).min(SIZE);
        let mut octets = vec![0; SIZE];
        if let Some(there) = octets.get_mut(..length) {
            file.read_exact_at(there, 0)?;
        }
        if length < SIZE {
            // Written, not only made longer: a hole takes no room until it is written.
            file.write_all_at(octets.get(length..).unwrap_or_default(), length as u64)?;
            file.sync_all()?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent)?.sync_all()?;
        }
        let (mut end, mut records) = (0, Vec::new());
        while let Some((record, whole)) = record_at(&octets, end) {
            if whole {
                records.push(record.to_vec());
            } else {
                tracing::error!(file = %path.display(), at = end, "a record of an end is damaged, or was never finished");
            }
            end += HEADER + record.len();
        }
        Ok(Ends { file, end, records })
    }

    /// The records that were kept and not forgotten, oldest first.
    pub(super) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// Keeps a record; returns when it is on disk.
    ///
    /// # Errors
    /// The file is full, or the disk's.
    pub(super) fn keep(&mut self, record: &[u8]) -> Result<(), StoreError> {
        if record.is_empty() || self.end + HEADER + record.len() + 4 > SIZE {
            return Err(StoreError::Failed("the file of ends is full".to_owned()));
        }
        let length = u32::try_from(record.len()).unwrap_or_default().to_le_bytes();
        // What comes behind it is no record.
        let octets = [&length[..], &checksum(record), record, &[0; 4]].concat();
        let written = self.file.write_all_at(&octets, self.end as u64).and_then(|()| self.file.sync_data());
        written.map_err(|error| StoreError::Failed(format!("the file of ends: {error}")))?;
        self.end += HEADER + record.len();
        self.records.push(record.to_vec());
        Ok(())
    }

    /// Forgets all records.
    ///
    /// # Errors
    /// The disk's. Then they are kept.
    pub(super) fn forget(&mut self) -> Result<(), StoreError> {
        if self.end > 0 {
            let written = self.file.write_all_at(&[0; HEADER], 0).and_then(|()| self.file.sync_data());
            written.map_err(|error| StoreError::Failed(format!("the file of ends: {error}")))?;
            (self.end, self.records) = (0, Vec::new());
        }
        Ok(())
    }
}

fn checksum(record: &[u8]) -> [u8; CHECKSUM] {
    let digest: [u8; 32] = Sha256::digest(record).into();
    let mut sum = [0; CHECKSUM];
    sum.iter_mut().zip(digest).for_each(|(to, octet)| *to = octet);
    sum
}

/// The record that begins there, if one does, and whether it is as it was written. Those behind a damaged one count.
fn record_at(octets: &[u8], at: usize) -> Option<(&[u8], bool)> {
    let (length, rest) = octets.get(at..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    let record = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    (!record.is_empty()).then(|| (record, checksum(record) == *sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn records_come_back_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ends");
        let mut ends = Ends::open(&path).unwrap();
        assert!(ends.records().is_empty());
        let there = std::fs::metadata(&path).unwrap();
        assert_eq!(there.len(), SIZE as u64);
        assert!(there.blocks() * 512 >= SIZE as u64, "a hole is no room");
        for record in [&b"one"[..], b"a longer one", b"3"] {
            ends.keep(record).unwrap();
        }
        assert_eq!(Ends::open(&path).unwrap().records(), [&b"one"[..], b"a longer one", b"3"]);
        ends.forget().unwrap();
        assert!(Ends::open(&path).unwrap().records().is_empty());
        // What lies behind a shorter one does not come back.
        ends.keep(b"4").unwrap();
        assert_eq!(Ends::open(&path).unwrap().records(), [b"4"]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), SIZE as u64);
    }

    #[test]
    fn an_incomplete_record_is_skipped_and_the_others_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ends");
        let mut ends = Ends::open(&path).unwrap();
        ends.keep(b"one").unwrap();
        ends.keep(b"two").unwrap();
        ends.keep(b"three").unwrap();
        let mut octets = std::fs::read(&path).unwrap();
        octets[2 * HEADER + 5] ^= 1;
        std::fs::write(&path, &octets).unwrap();
        assert_eq!(Ends::open(&path).unwrap().records(), [&b"one"[..], b"three"]);
        for (length, count) in [(0, 0), (5, 0), (HEADER + 3, 1), (octets.len() - 1, 2)] {
            std::fs::write(&path, &octets[..length]).unwrap();
            assert_eq!(Ends::open(&path).unwrap().records().len(), count, "{length}");
        }
    }

    #[test]
    fn a_full_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut ends = Ends::open(&folder.path().join("ends")).unwrap();
        ends.keep(&vec![1; SIZE - 2 * HEADER - 8]).unwrap();
        assert!(ends.keep(&[2; 9]).is_err());
        assert!(ends.keep(b"").is_err());
        ends.keep(b"3").unwrap();
        assert_eq!(Ends::open(&folder.path().join("ends")).unwrap().records().len(), 2);
    }
}
