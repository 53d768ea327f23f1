//! Workbooks of Excel and OpenOffice: each sheet is a table, and those that hold tweets are read.
//!
//! A sheet is written out as CSV by a thread of its own, so that it never is in memory as a whole. What has to be are the
//! texts of an `.xlsx`, which it keeps apart from its cells, and all of an `.xls` or `.ods`.

use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use calamine::{DataType, Ods, Reader as _, Xls, Xlsb, Xlsx};

use super::{Flow, Unpacker};
use crate::decode::{Decoded, Packing};
use crate::origin::Seeker;
use crate::{Batches, Error, Origin};

/// How many columns a sheet may have.
const MAX_COLUMNS: u32 = 2_000;
/// How many bytes of a sheet are handed over at once, and how often ahead of what is read.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_AHEAD: usize = 2;

type Bytes = BufReader<Seeker>;

impl Unpacker<'_> {
    pub(super) fn workbook(&mut self, origin: Arc<dyn Origin>) -> Flow {
        let names = Workbook::open(&origin)?.names();
        if let Some(wanted) = self.options.sheet.clone() {
            if !names.contains(&wanted) {
                let (name, names) = (wanted, names.join(", "));
                return Err(Error::NoSuchSheet { name, names });
            }
            return self.sheet(&origin, wanted, None);
        }
        let mut complaints = Vec::new();
        let n_sheets = names.len();
        for name in names {
            let flow = match n_sheets {
                1 => self.sheet(&origin, name, Some(&mut complaints))?,
                _ => self.member(&name.clone(), |unpacker| {
                    unpacker.sheet(&origin, name, Some(&mut complaints))
                }),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        // None of them holds tweets. That of a sheet with something in it says more.
        if complaints.len() == n_sheets {
            complaints.sort_by_key(|error| matches!(error, Error::Empty));
            let error = complaints.into_iter().next().unwrap_or(Error::Empty);
            return self.visit(Err(error));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads a sheet. Where there is something to put it, it notes why a sheet holds no tweets, and does not visit it.
    fn sheet(
        &mut self,
        origin: &Arc<dyn Origin>,
        name: String,
        complaints: Option<&mut Vec<Error>>,
    ) -> Flow {
        if self.is_before() {
            self.place.leaf += 1;
            return Ok(ControlFlow::Continue(()));
        }
        let decoded = Decoded {
            reader: Box::new(Sheet::open(Arc::clone(origin), name)),
            packing: Packing::Encoded,
            layers: vec!["workbook"],
            start: Vec::new(),
        };
        let mut batches = Batches::new(decoded, &self.options);
        if let (Ok(open), Some(checkpoint)) = (&mut batches, self.checkpoint())
            && let Err(error) = open.skip_to(checkpoint.position)
        {
            batches = Err(error);
        }
        match (batches, complaints) {
            (Err(error @ (Error::Empty | Error::NoTextColumn { .. })), Some(complaints)) => {
                self.place.leaf += 1;
                complaints.push(error);
                Ok(ControlFlow::Continue(()))
            }
            (batches, _) => self.visit(batches),
        }
    }
}

enum Workbook {
    Xlsx(Box<Xlsx<Bytes>>),
    Xlsb(Box<Xlsb<Bytes>>),
    Xls(Box<Xls<Bytes>>),
    Ods(Box<Ods<Bytes>>),
}

impl Workbook {
    fn open(origin: &Arc<dyn Origin>) -> Result<Workbook, Error> {
        let bytes = || BufReader::new(Seeker::new(Arc::clone(origin)));
        let mut magic = Vec::new();
        origin.read(0..origin.length().min(2))?.read_to_end(&mut magic)?;
        if magic != b"PK" {
            let book = Xls::new(bytes()).map_err(|error| damaged(error.to_string()))?;
            return Ok(Workbook::Xls(Box::new(book)));
        }
        let complaint = match Xlsx::new(bytes()) {
            Ok(book) => return Ok(Workbook::Xlsx(Box::new(book))),
            Err(error) => error.to_string(),
        };
        if let Ok(book) = Xlsb::new(bytes()) {
            return Ok(Workbook::Xlsb(Box::new(book)));
        }
        let book = Ods::new(bytes()).map_err(|_| damaged(complaint))?;
        Ok(Workbook::Ods(Box::new(book)))
    }

    fn names(&self) -> Vec<String> {
        match self {
            Workbook::Xlsx(book) => book.sheet_names(),
            Workbook::Xlsb(book) => book.sheet_names(),
            Workbook::Xls(book) => book.sheet_names(),
            Workbook::Ods(book) => book.sheet_names(),
        }
    }

    /// Writes a sheet as CSV.
    fn write(&mut self, name: &str, csv: &mut Csv) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let range = match self {
            Workbook::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(name).map_err(|error| text(&error))?;
                while let Some(cell) = cells.next_cell().map_err(|error| text(&error))? {
                    let (row, column) = cell.get_position();
                    if !csv.cell(row, column, cell.get_value())? {
                        break;
                    }
                }
                return Ok(());
            }
            Workbook::Xlsb(book) => book.worksheet_range(name).map_err(|error| text(&error))?,
            Workbook::Xls(book) => book.worksheet_range(name).map_err(|error| text(&error))?,
            Workbook::Ods(book) => book.worksheet_range(name).map_err(|error| text(&error))?,
        };
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, cell) in range.used_cells() {
            if !csv.cell(top + row as u32, left + column as u32, cell)? {
                break;
            }
        }
        Ok(())
    }
}

fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Damaged { what: "workbook", source: io::Error::new(io::ErrorKind::InvalidData, what) }
}

/// A piece of a sheet, or why there are no more.
type Piece = Result<Vec<u8>, String>;

/// Writes cells as CSV, in which each text is quoted.
struct Csv {
    pieces: SyncSender<Piece>,
    bytes: Vec<u8>,
    row: u32,
    column: u32,
}

impl Csv {
    /// Adds a cell; they come row by row. Returns false if nobody reads them any more.
    fn cell(&mut self, row: u32, column: u32, value: &impl DataType) -> Result<bool, String> {
        if value.is_empty() {
            return Ok(true);
        }
        if column >= MAX_COLUMNS {
            return Err(format!("it has more than {MAX_COLUMNS} columns"));
        }
        while self.row < row {
            self.bytes.push(b'\n');
            (self.row, self.column) = (self.row + 1, 0);
            if self.bytes.len() >= PIECE_BYTES && !self.hand_over() {
                return Ok(false);
            }
        }
        while self.column < column {
            self.bytes.push(b',');
            self.column += 1;
        }
        if let Some(text) = value.get_string() {
            self.quoted(text);
        } else if let Some(time) = value.get_datetime() {
            self.bytes.extend(time_of(time).into_bytes());
        } else if let Some(number) = value.get_float() {
            self.bytes.extend(number_of(number).into_bytes());
        } else if let Some(number) = value.get_int() {
            self.bytes.extend(number.to_string().into_bytes());
        } else if let Some(flag) = value.get_bool() {
            self.bytes.extend(if flag { "TRUE" } else { "FALSE" }.as_bytes());
        } else if let Some(text) = value.as_string() {
            self.quoted(&text);
        }
        Ok(true)
    }

    fn quoted(&mut self, text: &str) {
        self.bytes.push(b'"');
        for (at, part) in text.split('"').enumerate() {
            if at > 0 {
                self.bytes.extend(b"\"\"");
            }
            self.bytes.extend(part.as_bytes());
        }
        self.bytes.push(b'"');
    }

    /// Hands over what there is. Returns false if nobody wants it any more.
    fn hand_over(&mut self) -> bool {
        self.pieces.send(Ok(std::mem::take(&mut self.bytes))).is_ok()
    }
}

/// A number as text. Those that have lost digits are written so that this shows.
fn number_of(number: f64) -> String {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    match number.abs() < MAX_EXACT {
        true => number.to_string(),
        false => format!("{number:e}"),
    }
}

fn time_of(time: calamine::ExcelDateTime) -> String {
    if time.is_duration() {
        let seconds = (time.as_f64() * 86_400.0).round() as i64;
        return format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    match time.as_f64() {
        // A time of day without a date.
        days if days < 1.0 => format!("{hour:02}:{minute:02}:{second:02}"),
        days if days.fract() == 0.0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}

/// A sheet as CSV.
struct Sheet {
    pieces: Receiver<Piece>,
    piece: Vec<u8>,
    at: usize,
}

impl Sheet {
    fn open(origin: Arc<dyn Origin>, name: String) -> Sheet {
        let (pieces, received) = sync_channel(PIECES_AHEAD);
        std::thread::spawn(move || {
            let mut csv = Csv { pieces, bytes: Vec::new(), row: 0, column: 0 };
            let written = Workbook::open(&origin)
                .map_err(|error| error.to_string())
                .and_then(|mut book| book.write(&name, &mut csv));
            csv.bytes.push(b'\n');
            csv.hand_over();
            if let Err(error) = written {
                // If nobody reads it any more, nobody wants to know.
                let _ = csv.pieces.send(Err(error));
            }
        });
        Sheet { pieces: received, piece: Vec::new(), at: 0 }
    }
}

impl Read for Sheet {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.pieces.recv() {
                Ok(Ok(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(Err(error)) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                Err(_) => return Ok(0),
            }
        }
        let length = buf.len().min(self.piece.len() - self.at);
        buf[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_whether_they_have_lost_digits() {
        for (number, expected) in [
            (12.0, "12"),
            (0.5, "0.5"),
            (900_719_925_474_099.0, "900719925474099"),
            (1_601_645_088_790_260_000.0, "1.60164508879026e18"),
        ] {
            assert_eq!(number_of(number), expected);
        }
    }
}
