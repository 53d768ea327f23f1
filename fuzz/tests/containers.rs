//! Arbitrary bytes in every container: no panic, no hang, no more memory than a little.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::io::{self, Cursor, Read};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use bolero::check;
use ingest::{Input, Options, Origin, Spool, unpack};

struct Bytes(Arc<[u8]>);

impl Origin for Bytes {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }
    fn read(&self, range: Range<u64>) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.0[range.start as usize..range.end as usize].to_vec())))
    }
}

/// Keeps a little. A bomb is one that this does not hold back.
struct Memory;

impl Spool for Memory {
    fn keep(&self, reader: &mut dyn Read) -> io::Result<Arc<dyn Origin>> {
        let mut bytes = Vec::new();
        reader.take(4 << 20).read_to_end(&mut bytes)?;
        Ok(Arc::new(Bytes(bytes.into())))
    }
}

fn read(bytes: &[u8]) {
    let options = Arc::new(Options::default());
    // What it says of damage does not matter here.
    let _ = unpack(Input::Stream(Box::new(bytes)), &options, &Memory, None, &mut |member| {
        for batch in member.batches.into_iter().flatten().flatten() {
            let (n_records, mut n_items) = (batch.len(), 0);
            batch.read(|_| n_items += 1);
            assert!(n_items >= n_records);
        }
        ControlFlow::Continue(())
    });
}

/// A test for each container, and what leads the bytes there.
macro_rules! containers {
    ($($name:ident: $before:expr, $after:expr;)*) => {$(
        #[test]
        fn $name() {
            check!().for_each(|bytes| {
                let (before, after): (&[u8], &[u8]) = (&$before[..], &$after[..]);
                read(&[before, bytes, after].concat());
            });
        }
    )*};
}

containers! {
    anything: b"", b"";
    zip: b"PK\x03\x04", b"";
    parquet: b"PAR1", b"PAR1";
    old_workbook: b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", b"";
    bzip2: b"BZh91AY&SY", b"";
    xz: b"\xFD7zXZ\0", b"";
    zstd: b"\x28\xB5\x2F\xFD", b"";
    snappy: b"\xFF\x06\0\0sNaPpY", b"";
    hadoop_snappy: b"\0\0\0\x20\0\0\0\x22\x20", b"";
}

/// A header whose checksum is right, and then anything.
#[test]
fn tar() {
    let mut header = tar::Header::new_gnu();
    header.set_size(700);
    header.set_path("a.csv").unwrap();
    header.set_cksum();
    let header = *header.as_bytes();
    check!().for_each(|bytes: &[u8]| read(&[&header, bytes].concat()));
}
