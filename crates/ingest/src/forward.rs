//! Passes the records of a batch on, as lines of JSON that can be read again.

use crate::{Batch, Rejected, Stage};

impl Batch {
    /// Hands each record to `sink` as JSON on one line, without a line end, and with the record's index. What is read
    /// from these lines is what is read from the records themselves, except for what [`Options`](crate::Options) add.
    /// The pages of an API become one line for each tweet, and the rows of a table objects, which keep all columns. What
    /// is no whole record is handed over as a reject.
    pub fn forward(&self, mut sink: impl FnMut(usize, Result<&[u8], Rejected>)) {
        let mut rewrite = self.format.rewriter(&self.options);
        for (index, record) in self.records.iter().enumerate() {
            match record.fault {
                None => {
                    let raw = &self.bytes[record.start..record.end];
                    rewrite(raw, &mut |line| sink(index, Ok(line)));
                }
                Some(fault) => sink(index, Err(self.reject(index, Stage::Read, fault))),
            }
        }
    }
}
