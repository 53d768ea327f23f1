//! What a file holds, by its first bytes, and which files of an archive are none of ours, by their names.

use crate::Error;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Records, as far as one can tell.
    Records,
    Tar,
    /// Also the workbooks of today.
    Zip,
    Parquet,
    /// A workbook of Excel until 2003.
    Workbook,
}

/// The beginnings of what cannot be read, each with its name and a hint for the user.
const UNSUPPORTED: &[(&[u8], &str, &str)] = &[
    (b"Obj\x01", "an Avro file", "export it as Parquet, CSV or NDJSON"),
    (b"ORC", "an ORC file", "export it as Parquet, CSV or NDJSON"),
    (b"ARROW1", "an Arrow file", "export it as Parquet, CSV or NDJSON"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"%PDF-", "a PDF", "give the CSV or JSON file that it was made from"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", "unpack it and give the files in it"),
    (b"Rar!\x1A\x07", "a RAR archive", "unpack it and give the files in it"),
    (b"\x04\x22\x4D\x18", "compressed with LZ4", "pipe it in: lz4 -dc FILE | indexer backfill -"),
    (b"\x1F\x9D", "compressed with compress", "pipe it in: gzip -dc FILE | indexer backfill -"),
    (b"LZIP", "compressed with lzip", "pipe it in: lzip -dc FILE | indexer backfill -"),
    (b"\x89PNG", "a picture", "give the files that hold the tweets"),
    (b"\xFF\xD8\xFF", "a picture", "give the files that hold the tweets"),
    (b"GIF8", "a picture", "give the files that hold the tweets"),
];

impl Content {
    /// What a file that begins with `start` holds.
    ///
    /// # Errors
    ///
    /// If it is of a kind that is not supported.
    pub(super) fn of(start: &[u8]) -> Result<Content, Error> {
        if let Some(&(_, what, hint)) =
            UNSUPPORTED.iter().find(|(begin, ..)| start.starts_with(begin))
        {
            return Err(Error::Unsupported { what, hint });
        }
        Ok(match start {
            // Of files, or of none, or in several parts.
            _ if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") => {
                Content::Zip
            }
            _ if start.starts_with(b"PAR1") => Content::Parquet,
            _ if start.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") => Content::Workbook,
            _ if is_tar(start) => Content::Tar,
            _ => Content::Records,
        })
    }
}

/// Whether a tar archive begins: by its checksum, since old ones have no magic number.
fn is_tar(start: &[u8]) -> bool {
    let Some(header) = start.get(..512) else { return false };
    let digits = header[148..156].iter().copied().filter(|byte| byte.is_ascii_digit());
    let given =
        digits.fold(0_u32, |sum, digit| sum.wrapping_mul(8).wrapping_add(u32::from(digit - b'0')));
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    // The checksum itself counts as blanks.
    let actual = sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..]);
    given > 0 && given == actual
}

/// Whether a file among others is none that holds tweets, by its name: what systems leave beside files (`_SUCCESS`,
/// `.DS_Store`, all in `__MACOSX`), what explains them, and pictures.
pub fn is_passed_over(path: &str) -> bool {
    const NAMES: [&str; 5] = ["_SUCCESS", "Thumbs.db", "desktop.ini", ".DS_Store", "index.html"];
    const BEGINNINGS: [&str; 7] =
        ["._", "_committed_", "_started_", "README", "LICENSE", "LICENCE", "NOTICE"];
    const ENDINGS: [&str; 16] = [
        ".crc", ".css", ".gif", ".htm", ".html", ".ico", ".jpeg", ".jpg", ".md", ".mov", ".mp4",
        ".png", ".sha256", ".svg", ".webp", ".woff",
    ];
    let mut parts = path.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or_default();
    let ends = |ending: &&str| {
        let at = name.len().checked_sub(ending.len());
        at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    NAMES.contains(&name)
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || ENDINGS.iter().any(ends)
        || parts.any(|folder| folder == "__MACOSX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systems_leave_beside_files_is_passed_over() {
        for (path, expected) in [
            ("_SUCCESS", true),
            ("part/.part-0.json.crc", true),
            ("__MACOSX/._tweets.csv", true),
            ("README.md", true),
            ("data/profile.JPG", true),
            ("tweets.csv", false),
            ("part-00000", false),
            ("readme_tweets.json", false),
        ] {
            assert_eq!(is_passed_over(path), expected, "{path}");
        }
    }

    #[test]
    fn a_tar_archive_is_known_by_its_checksum() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_old();
        header.set_size(1);
        builder.append_data(&mut header, "a.csv", &b"a"[..]).unwrap();
        let bytes = builder.into_inner().unwrap();
        assert_eq!(Content::of(&bytes).unwrap(), Content::Tar);
        assert_eq!(Content::of(&[b'a'; 600]).unwrap(), Content::Records);
        assert_eq!(Content::of(&[0; 600]).unwrap(), Content::Records);
    }
}
