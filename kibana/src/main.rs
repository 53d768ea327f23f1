//! `cargo run -p kibana` makes the import file from the objects. `cargo run -p kibana -- EXPORT` first replaces the
//! objects with those of an export, to take over what was changed in Kibana.

use std::path::Path;
use std::{env, fs};

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(export) = env::args_os().nth(1) {
        let read = || format!("cannot read the export {}", Path::new(&export).display());
        kibana::unpack(&fs::read_to_string(&export).with_context(read)?, folder)?;
    }
    let file = folder.join(kibana::IMPORT_FILE);
    fs::write(&file, kibana::pack(folder)?)
        .with_context(|| format!("cannot write {}", file.display()))
}
