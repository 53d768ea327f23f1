//! Arbitrary bytes in every format and container: no panic, no hang, and something comes out of each record.
//!
//! `cargo test` tries random bytes for a moment. `just fuzz csv` lets libFuzzer look for inputs that reach new code, ten
//! minutes for each of these tests, with the files in `test_data` to start from and 512 MiB of memory.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::io::{self, Cursor, Read};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use bolero::check;
use ingest::{Input, Options, Origin, Spool, Timestamp, unpack};

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

/// Reads everything, and counts that each record gives something.
fn read(bytes: &[u8]) {
    let latest = Timestamp::parse("2027-12-31");
    let options = Arc::new(Options { latest, ..Options::default() });
    // What it says of damage does not matter here.
    let _ = unpack(Input::Stream(Box::new(bytes)), &options, &Memory, None, &mut |member| {
        for batch in member.batches.into_iter().flatten().flatten() {
            let (mut next, mut n_items) = (0, 0);
            batch.read_from(&mut next, |_| n_items += 1);
            assert_eq!(next, batch.len());
            assert!(n_items >= next, "{n_items} of {next} records");
            batch.forward(|_, line| {
                assert!(line.is_err() || !line.unwrap().contains(&b'\n'));
            });
        }
        ControlFlow::Continue(())
    });
}

/// A test for each format, and what leads the bytes there: what stands before and behind them.
macro_rules! formats {
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

formats! {
    // Whatever the bytes are taken for: CSV, JSON, gzip, UTF-16.
    any: b"", b"";
    csv: b"id,created_at,text,user,geo,retweets,lat,lon\n", b"\n1601645088790257667,a,b\n";
    tsv: b"id\ttext\tdate\ttime\tplace\n", b"\n";
    semicolons: b"sep=;\r\n\"id\";\"text\";\"created_at\"\r\n", b"\r\n";
    python_in_cells: b"id,text,user,place\n1601645088790257667,a,\"{'username': ", b"}\",\"";
    objects: b"{\"id\":1601645088790257667,", b"}\n{\"id_str\":\"1601645088790257667\",\"text\":\"a\"}";
    v1: b"{\"id_str\":\"1601645088790257667\",\"full_text\":\"a\",\"user\":{},", b"}";
    v2: b"{\"data\":[{\"id\":\"1601645088790257667\",\"text\":\"a\",", b"}],\"includes\":{}}";
    graphql: b"{\"rest_id\":\"1601645088790257667\",\"legacy\":{\"full_text\":\"a\",", b"}}";
    rows: b"[{\"tweet_id\":\"1601645088790257667\",\"tweetText\":\"a\",\"user\":{", b"}}]";
    bluesky: b"{\"did\":\"did:plc:a\",\"kind\":\"commit\",\"commit\":{\"record\":{", b"}}}";
    bluesky_views: b"{\"uri\":\"at://did:plc:a/app.bsky.feed.post/3\",\"record\":{", b"}}";
    mastodon: b"{\"uri\":\"https://a.example/1\",\"account\":{},\"content\":\"", b"\"}";
    dynamodb: b"{\"Item\":{\"id\":{\"S\":\"1601645088790257667\"},\"text\":{", b"}}}";
    wrapped: b"{\"_index\":\"a\",\"_source\":{", b"}}\n{\"Records\":[{\"body\":\"{}\"}]}";
    archive: b"window.YTD.tweets.part0 = [{\"tweet\":{\"id_str\":\"1601645088790257667\",", b"}}]";
    rejects: b"{\"source\":\"a.csv\",\"line\":1,\"stage\":\"parse\",\"reason\":\"\",\"raw\":\"", b"\"}";
    kinesis_producer_library: b"\xF3\x89\x9A\xC2", b"0123456789abcdef";
    gzip: b"\x1F\x8B\x08\x00\x00\x00\x00\x00\x00\x03", b"";
    zip: b"PK\x03\x04", b"";
    parquet: b"PAR1", b"PAR1";
    old_workbook: b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", b"";
    bzip2: b"BZh91AY&SY", b"";
    xz: b"\xFD7zXZ\0", b"";
    zstd: b"\x28\xB5\x2F\xFD", b"";
    snappy: b"\xFF\x06\0\0sNaPpY", b"";
    hadoop_snappy: b"\0\0\0\x20\0\0\0\x22\x20", b"";
    utf16: b"\xFF\xFEi\0d\0,\0t\0e\0x\0t\0\n\0", b"\n\0";
}

/// A page that is too large to be kept, as its spaces alone are.
#[test]
fn giant_page() {
    let before = [b"{\"data\":[{\"id\":\"1\"}".as_slice(), &vec![b' '; 9 << 20]].concat();
    check!().with_iterations(5).for_each(|bytes: &[u8]| {
        read(&[&before, bytes].concat());
    });
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
