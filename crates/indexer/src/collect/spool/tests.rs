//! What the spool keeps over crashes, full disks and limits.

use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("spool-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn open(folder: &Path, limit: u64) -> Result<Spool> {
    Spool::open(folder, limit)
}

fn chunk(n: u64) -> Chunk {
    let lines = format!("{{\"n\":{n},\"x\":\"{}\"}}\n", "x".repeat(1000)).into_bytes();
    Chunk { lines, records: 1, received_at: n as i64, mark: n.into() }
}

fn next(spool: &Spool) -> Option<(u64, Position)> {
    match spool.take(Duration::ZERO).unwrap() {
        Taken::Chunk(chunk, position) => Some((chunk.mark.as_u64().unwrap(), position)),
        Taken::Nothing | Taken::Closed => None,
    }
}

#[test]
fn what_was_appended_is_taken_in_order_and_again_after_a_restart_unless_it_was_delivered() {
    let folder = folder("order");
    let spool = open(&folder, u64::MAX).unwrap();
    for n in 0..20_000 {
        assert_eq!(spool.append(&chunk(n), n % 5000 == 0, false).unwrap(), Appended::Done);
    }
    let mut delivered = Position::default();
    for n in 0..12_000 {
        let (mark, position) = next(&spool).unwrap();
        assert_eq!(mark, n);
        if n == 9_999 {
            delivered = position;
            spool.delivered(position, true).unwrap();
        }
    }
    assert!(spool.bytes() < 18 * 1024 * 1024, "{}", spool.bytes());
    assert_eq!(spool.waiting(), 10_000);
    drop(spool);
    let delivered = delivered.to_string().parse().unwrap();
    let spool = open(&folder, u64::MAX).unwrap();
    spool.resume(delivered).unwrap();
    assert_eq!(spool.last_mark(), Some(19_999.into()));
    for n in 10_000..20_000 {
        assert_eq!(next(&spool).unwrap().0, n);
    }
    assert_eq!(next(&spool), None);
    let (_, last) = (spool.append(&chunk(7), false, false), next(&spool).unwrap().1);
    spool.delivered(last, true).unwrap();
    spool.finish().unwrap();
    drop(spool);
    // The file is gone, or was cut.
    fs::write(folder.join(format!("{:010}.spool", last.segment)), "").unwrap();
    let spool = open(&folder, u64::MAX).unwrap();
    spool.resume(last).unwrap();
    spool.append(&chunk(8), false, false).unwrap();
    assert_eq!(next(&spool).unwrap().0, 8);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_chunk_that_was_cut_off_by_a_crash_is_forgotten_with_its_mark() {
    let folder = folder("cut");
    let spool = open(&folder, u64::MAX).unwrap();
    for n in 0..3 {
        spool.append(&chunk(n), false, false).unwrap();
    }
    drop(spool);
    let path = folder.join("0000000001.spool");
    let bytes = fs::read(&path).unwrap();
    for damaged in
        [bytes[..bytes.len() - 1].to_vec(), [&bytes[..bytes.len() - 9], b"oooooooo\n"].concat()]
    {
        fs::write(&path, damaged).unwrap();
        let spool = open(&folder, u64::MAX).unwrap();
        assert_eq!(spool.last_mark(), Some(1.into()));
        spool.append(&chunk(7), false, false).unwrap();
        let marks: Vec<u64> = std::iter::from_fn(|| Some(next(&spool)?.0)).collect();
        assert_eq!(marks, [0, 1, 7]);
        drop(spool);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_full_spool_takes_nothing_until_there_is_room_or_the_oldest_is_dropped() {
    let folder = folder("full");
    let spool = open(&folder, 3 * SEGMENT_BYTES).unwrap();
    let mut n = 0;
    while spool.append(&chunk(n), false, false).unwrap() == Appended::Done {
        n += 1;
    }
    assert!(n * 1000 > 2 * SEGMENT_BYTES, "{n}");
    assert!(open(&folder, 1).is_err(), "two processes use one spool");
    assert_eq!(spool.append(&chunk(n), false, true).unwrap(), Appended::Done);
    let (_, position) = next(&spool).unwrap();
    spool.delivered(position, true).unwrap();
    assert_eq!(spool.append(&chunk(n), false, false).unwrap(), Appended::Full);
    assert!(spool.drop_oldest().unwrap());
    assert_eq!(spool.append(&chunk(n), false, false).unwrap(), Appended::Done);
    // What was taken from the first file is still on its way, and the rest of that file is kept.
    let dropped = spool.take_dropped();
    let marks: Vec<u64> = std::iter::from_fn(|| Some(next(&spool)?.0)).collect();
    assert_eq!(marks.len() as u64 + dropped, n + 1);
    drop(spool);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_small_spool_has_room_again_once_everything_is_delivered() {
    let folder = folder("small");
    let spool = open(&folder, 100_000).unwrap();
    for round in 0..10 {
        let mut n = 0;
        while spool.append(&chunk(n), false, false).unwrap() == Appended::Done {
            n += 1;
        }
        assert!(n > 80, "{round}: {n}");
        let last = std::iter::from_fn(|| Some(next(&spool)?.1)).last().unwrap();
        spool.delivered(last, round % 2 == 0).unwrap();
        assert!(spool.bytes() < 60_000, "{}", spool.bytes());
    }
    drop(spool);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn damage_in_the_middle_is_refused_and_not_cut_off() {
    let folder = folder("damaged");
    let spool = open(&folder, u64::MAX).unwrap();
    for n in 0..3 {
        spool.append(&chunk(n), false, false).unwrap();
    }
    drop(spool);
    let path = folder.join("0000000001.spool");
    let mut bytes = fs::read(&path).unwrap();
    bytes[500] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let refused = open(&folder, u64::MAX).err().unwrap();
    assert!(refused.story().contains("is damaged at byte 0"), "{}", refused.story());
    assert_eq!(fs::read(&path).unwrap(), bytes);
    fs::remove_dir_all(folder).unwrap();
}
