//! Records that Amazon's Kinesis Producer Library has put together into one
//! (<https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>).
//!
//! Behind a magic number stands a message of Protocol Buffers, and behind that its MD5.

/// How such a record begins.
pub(crate) const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
const MD5_BYTES: usize = 16;
/// The numbers of fields: of the records in the message, and of the data in a record.
const RECORDS: u64 = 3;
const DATA: u64 = 3;

/// The data of the records in an aggregated record. `None` if it is none, or damaged.
pub(crate) fn records(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let message = bytes.strip_prefix(&MAGIC)?;
    let message = &message[..message.len().checked_sub(MD5_BYTES)?];
    let mut records = Vec::new();
    each_field(message, &mut |field, bytes| match field {
        RECORDS => each_field(bytes, &mut |field, data| {
            if field == DATA {
                records.push(data);
            }
            Some(())
        }),
        _ => Some(()),
    })?;
    Some(records)
}

/// The same, with a line end after each record.
pub(crate) fn lines(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(records(bytes)?.join(&b'\n'))
}

/// Calls `visit` with the number and the bytes of each field of a message that has bytes. `None` if it is damaged.
fn each_field<'m>(
    message: &'m [u8],
    visit: &mut dyn FnMut(u64, &'m [u8]) -> Option<()>,
) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 => drop(varint(&mut rest)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                visit(tag >> 3, bytes)?;
            }
            1 => rest = rest.get(8..)?,
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregated_records_are_taken_apart() {
        let mut bytes = MAGIC.to_vec();
        // A partition key; two records with the index of a key and data.
        bytes.extend(b"\x0a\x01a\x1a\x05\x08\x00\x1a\x01x\x1a\x06\x08\x00\x1a\x02yz");
        bytes.extend([0; MD5_BYTES]);
        assert_eq!(records(&bytes), Some(vec![&b"x"[..], b"yz"]));
        assert_eq!(lines(&bytes).as_deref(), Some(&b"x\nyz"[..]));
        for cut in 0..bytes.len() {
            assert_ne!(records(&bytes[..cut]).map(|records| records.len()), Some(3));
        }
    }
}
