//! Parquet files, a group of rows at a time: as a table (CSV) if no column is an object, otherwise as rows of JSON.

use std::borrow::Cow;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::{ReaderIter, TreeBuilder};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Flow, Unpacker};
use crate::decode::{Decoded, Packing};
use crate::{Batches, Error, Origin, Timestamp};

/// How many values of each column are read at once.
const BATCH_ROWS: usize = 512;

impl Unpacker<'_> {
    pub(super) fn parquet(&mut self, origin: Arc<dyn Origin>) -> Flow {
        if self.is_before() {
            self.place.leaf += 1;
            return Ok(std::ops::ControlFlow::Continue(()));
        }
        let position = self.checkpoint().map(|from| from.position);
        let n_read = position.map_or(0, |position| position.records);
        let rows = Rows::open(origin, n_read).map_err(|error| Error::of(error, "Parquet"))?;
        let decoded = Decoded {
            reader: Box::new(rows),
            packing: Packing::Encoded,
            layers: vec!["Parquet"],
            start: Vec::new(),
        };
        let mut batches = Batches::new(decoded, &self.options);
        if let (Ok(batches), Some(position)) = (&mut batches, position) {
            batches.begin_at(position);
        }
        self.visit(batches)
    }
}

/// The rows of a file, each as a row of CSV or as a JSON object, on a line.
struct Rows {
    file: SerializedFileReader<Chunks>,
    /// Whether no column is an object, so that the rows are those of a table.
    is_flat: bool,
    /// The rows of the current group, and the number of the next one.
    rows: Option<ReaderIter>,
    next_group: usize,
    /// How many rows of the next groups are to be skipped.
    skip: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Rows {
    /// Reads the rows from the one at `skip` on.
    fn open(origin: Arc<dyn Origin>, skip: u64) -> io::Result<Rows> {
        let file = SerializedFileReader::new(Chunks(origin)).map_err(damaged)?;
        let columns = file.metadata().file_metadata().schema().get_fields();
        let is_flat = columns.iter().all(|column| {
            column.is_primitive() || column.get_basic_info().logical_type_ref().is_some()
        });
        let mut buffer = Vec::new();
        if is_flat {
            let names = columns.iter().map(|column| column.name());
            write_cells(&mut buffer, names.map(|name| Some(Cow::Borrowed(name))));
        }
        Ok(Rows { file, is_flat, rows: None, next_group: 0, skip, buffer, at: 0 })
    }

    /// The next row. `None` at the end.
    fn next(&mut self) -> io::Result<Option<parquet::record::Row>> {
        loop {
            if let Some(rows) = &mut self.rows {
                match rows.next() {
                    Some(_) if self.skip > 0 => {
                        self.skip -= 1;
                        continue;
                    }
                    Some(row) => return row.map(Some).map_err(damaged),
                    None => self.rows = None,
                }
            }
            if self.next_group == self.file.num_row_groups() {
                return Ok(None);
            }
            let at = self.next_group;
            self.next_group += 1;
            let n_rows = u64::try_from(self.file.metadata().row_group(at).num_rows()).unwrap_or(0);
            if self.skip >= n_rows {
                self.skip -= n_rows;
                continue;
            }
            let group = self.file.get_row_group(at).map_err(damaged)?;
            let schema = self.file.metadata().file_metadata().schema_descr_ptr();
            let builder = TreeBuilder::new().with_batch_size(BATCH_ROWS);
            self.rows = Some(builder.as_iter(schema, &*group).map_err(damaged)?);
        }
    }
}

impl Read for Rows {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            (self.at, self.buffer) = (0, std::mem::take(&mut self.buffer));
            self.buffer.clear();
            while self.buffer.len() < 64 * 1024
                && let Some(row) = self.next()?
            {
                if self.is_flat {
                    let cells = row.get_column_iter().map(|(_, field)| cell(field));
                    write_cells(&mut self.buffer, cells);
                } else {
                    serde_json::to_writer(&mut self.buffer, &Columns(row.into_columns()))?;
                    self.buffer.push(b'\n');
                }
            }
        }
        let length = buf.len().min(self.buffer.len() - self.at);
        buf[..length].copy_from_slice(&self.buffer[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// Damage in a file is told from failures to read it, which keep their kind.
fn damaged(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::new(io::ErrorKind::InvalidData, other),
        },
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// Writes a row of CSV, in which each text is quoted.
fn write_cells<'c>(row: &mut Vec<u8>, cells: impl Iterator<Item = Option<Cow<'c, str>>>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            row.push(b',');
        }
        let Some(cell) = cell else { continue };
        row.push(b'"');
        for (at, part) in cell.split('"').enumerate() {
            row.extend_from_slice(if at > 0 { b"\"\"" } else { b"" });
            row.extend_from_slice(part.as_bytes());
        }
        row.push(b'"');
    }
    row.push(b'\n');
}

/// A value as the text of a cell. `None` if there is none.
fn cell(field: &Field) -> Option<Cow<'_, str>> {
    match field {
        Field::Null => None,
        Field::Str(text) => Some(Cow::Borrowed(text)),
        other => {
            let json = serde_json::to_string(&Value(other)).ok()?;
            Some(match json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) {
                // Times and bytes.
                Some(_) => Cow::Owned(serde_json::from_str(&json).ok()?),
                None => Cow::Owned(json),
            })
        }
    }
}

/// A row, without the columns that have no value in it.
struct Columns(Vec<(String, Field)>);

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, field) in self.0.iter().filter(|(_, field)| *field != Field::Null) {
            map.serialize_entry(name, &Value(field))?;
        }
        map.end()
    }
}

/// A value as JSON.
struct Value<'f>(&'f Field);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = |millis| Timestamp::from_millis(millis).to_string();
        match self.0 {
            Field::Null => serializer.serialize_none(),
            Field::Bool(value) => serializer.serialize_bool(*value),
            Field::Byte(value) => serializer.serialize_i8(*value),
            Field::Short(value) => serializer.serialize_i16(*value),
            Field::Int(value) => serializer.serialize_i32(*value),
            Field::Long(value) => serializer.serialize_i64(*value),
            Field::UByte(value) => serializer.serialize_u8(*value),
            Field::UShort(value) => serializer.serialize_u16(*value),
            Field::UInt(value) => serializer.serialize_u32(*value),
            Field::ULong(value) => serializer.serialize_u64(*value),
            Field::Float16(value) => serializer.serialize_f32(value.to_f32()),
            Field::Float(value) => serializer.serialize_f32(*value),
            Field::Double(value) => serializer.serialize_f64(*value),
            Field::Str(text) => serializer.serialize_str(text),
            // Old writers do not say that their bytes are text.
            Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => serializer.serialize_str(&STANDARD.encode(bytes.data())),
            },
            Field::TimestampMillis(millis) => serializer.serialize_str(&time(*millis)),
            Field::TimestampMicros(micros) => {
                serializer.serialize_str(&time(micros.div_euclid(1_000)))
            }
            Field::Date(_) | Field::TimeMillis(_) | Field::TimeMicros(_) | Field::Decimal(_) => {
                serializer.collect_str(self.0)
            }
            Field::Group(row) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, field) in
                    row.get_column_iter().filter(|(_, field)| **field != Field::Null)
                {
                    map.serialize_entry(name, &Value(field))?;
                }
                map.end()
            }
            Field::ListInternal(list) => serializer.collect_seq(list.elements().iter().map(Value)),
            Field::MapInternal(entries) => {
                let entries =
                    entries.entries().iter().map(|(key, value)| (key.to_string(), Value(value)));
                let bare = entries.map(|(key, value)| (key.trim_matches('"').to_owned(), value));
                serializer.collect_map(bare)
            }
        }
    }
}

/// The bytes of a file as the `parquet` crate asks for them.
struct Chunks(Arc<dyn Origin>);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.length()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Box<dyn Read + Send>>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let start = start.min(self.len());
        let reader = self.0.read(start..self.len()).map_err(external)?;
        Ok(BufReader::new(reader))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.len());
        let end =
            end.ok_or_else(|| ParquetError::EOF("a part of it lies behind its end".to_owned()))?;
        let mut bytes = Vec::new();
        let mut reader = self.0.read(start..end).map_err(external)?;
        reader.read_to_end(&mut bytes).map_err(external)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("it is shorter than it was".to_owned()));
        }
        Ok(Bytes::from(bytes))
    }
}

fn external(error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
