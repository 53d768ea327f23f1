//! The command line as text: exit code, stdout and stderr are the product.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tests::Workplace;

const CSV: &str = ",User,Tweet,Cloud\n0,1601645088790257667,\"Q&amp;A about #AWS\n\nand more\",AWS\n\
    1,1601594891175354371,I love it 👍,Azure\n2,1601594891175354371,I love it 👍,AWS\n";

fn workplace() -> Workplace {
    Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"))
}

macro_rules! assert_shown {
    ($workplace:expr, $($arguments:expr),+) => {
        let shown = [$($workplace.show($arguments)),+].join("\n");
        insta::with_settings!({filters => vec![
            (r"seconds +[0-9.]+", "seconds      [seconds]"),
            (r#""seconds":[0-9.e-]+"#, "\"seconds\":0.1"),
            (r#""received_at":"[^"]+""#, "\"received_at\":\"[time]\""),
            (r#""lag_seconds":\d+"#, "\"lag_seconds\":\"[since]\""),
            (r"rejects-[0-9TZ]+\.ndjson", "rejects-[time].ndjson"),
        ]}, { insta::assert_snapshot!(shown) });
    };
}

#[test]
fn a_backfill_reports_and_its_tweets_are_found() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV);
    assert_shown!(
        workplace,
        "backfill tweets.csv",
        "search '' --json",
        "search '#aws' --marketplace AWS",
        "search 'hate' --limit 5",
        "backfill tweets.csv --report json"
    );
}

#[test]
fn what_cannot_be_read_is_named_with_a_hint() {
    let workplace = workplace();
    workplace
        .file("empty.csv", "")
        .file("no_text.csv", "id,name\n1,x\n")
        .file("binary.csv", b"\x7fELF\0\0\0\x01\x02")
        .file("archive.csv", b"PK\x03\x04....")
        .file("junk/notes.txt", "Dear diary")
        .file("junk/deeper/picture.png", b"\x89PNG\r\n\x1a\n\0\0\0");
    std::fs::create_dir(workplace.path("nothing")).unwrap();
    assert_shown!(
        workplace,
        "backfill nonexistent.csv",
        "backfill empty.csv no_text.csv binary.csv archive.csv",
        "backfill junk",
        "backfill nothing 'no*.json' s3://bucket/key",
        "backfill no_text.csv --column text=body",
        "backfill no_text.csv --column txt=name"
    );
    assert!(
        !workplace.path("tweets-index").exists(),
        "nothing was read, so nothing is left behind"
    );
}

#[test]
fn a_failing_source_does_not_stop_the_others() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV).file("empty.csv", "");
    assert_shown!(
        workplace,
        "backfill nonexistent.csv empty.csv tweets.csv --report json",
        "search love"
    );
}

#[test]
fn rejects_can_be_mended_and_read_again() {
    let workplace = workplace();
    workplace
        .file("tweets.csv", "id,text\n1601645088790257667,\n7,too old\n1601594891175354371,fine\n");
    assert_shown!(
        workplace,
        "backfill tweets.csv --rejects rejects.ndjson",
        "backfill rejects.ndjson --timestamp 2006-03-21 --rejects again.ndjson",
        "search ''"
    );
    let rejects = std::fs::read_to_string(workplace.path("rejects.ndjson")).unwrap();
    insta::assert_snapshot!(rejects);
    let mended = workplace.show("search id:7 --json");
    assert!(mended.contains("\"source\":\"tweets.csv\""), "where it came from first: {mended}");
}

#[test]
fn rejects_are_not_written_into_what_they_come_from() {
    let workplace = workplace();
    workplace.file("tweets.csv", "id,text\n7,too old\n").file("mine.txt", "my own notes\n");
    workplace.run(["backfill", "tweets.csv", "--rejects", "rejects.ndjson"]);
    assert_shown!(
        workplace,
        "backfill rejects.ndjson --rejects rejects.ndjson",
        "backfill tweets.csv --rejects mine.txt",
        "backfill tweets.csv --rejects rejects.ndjson"
    );
    assert_eq!(std::fs::read_to_string(workplace.path("mine.txt")).unwrap(), "my own notes\n");
    // Nor by another name.
    std::os::unix::fs::symlink(workplace.path("rejects.ndjson"), workplace.path("latest")).unwrap();
    let linked = workplace.show("backfill rejects.ndjson --rejects latest");
    assert!(linked.contains("exit 2") && linked.contains("it is one of the sources"), "{linked}");
}

#[test]
fn a_store_is_never_read_as_a_source() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV).run(["backfill", "tweets.csv"]);
    let by_name = workplace.show("backfill tweets-index --store other");
    assert!(by_name.contains("exit 2") && by_name.contains("holds no files"), "{by_name}");
    let by_pattern = workplace.show("backfill 'tweets*' --store other --report json");
    assert!(by_pattern.contains("exit 0") && by_pattern.contains("\"created\":2"), "{by_pattern}");
}

#[test]
fn documents_and_scores_go_to_stdout() {
    let workplace = workplace();
    workplace
        .file("tweets.csv", CSV)
        .file("texts.txt", "I love it :(\n\"two\\nlines, great!\"\n\n");
    assert_shown!(workplace, "enrich tweets.csv", "score texts.txt", "score --raw texts.txt");
}

#[test]
fn samples_are_the_same_for_the_same_seed() {
    let workplace = workplace();
    assert_shown!(workplace, "sample --count 3 --seed 7", "sample --count 1 --seed 7 --format v2");
    for format in ["csv", "ndjson", "firehose", "v2"] {
        let sample = workplace.run(["sample", "--count", "500", "--format", format]).stdout;
        workplace.file("sample", sample);
        let output = workplace.run(["enrich", "sample", "--report", "json"]);
        let documents =
            output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty()).count();
        assert_eq!((output.status.code(), documents), (Some(0), 500), "{format}");
    }
}

#[test]
fn the_examples_are_what_sample_writes() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    for (name, count, format) in
        [("tweets.csv", "400", "csv"), ("geotagged.ndjson", "150", "ndjson")]
    {
        let sample = workplace()
            .run(["sample", "--count", count, "--seed", "2026", "--format", format])
            .stdout;
        assert!(
            sample == std::fs::read(format!("{examples}/{name}")).unwrap(),
            "{name}: `just examples` writes it anew"
        );
    }
}

#[test]
fn stores_that_cannot_be_used_say_why() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV).file("docs/readme.txt", "not a store");
    assert_shown!(
        workplace,
        "search x --store nowhere",
        "search x --store docs",
        "backfill tweets.csv --store docs",
        "backfill tweets.csv --store http://elastic:secret@localhost:9200",
        "backfill tweets.csv --recreate"
    );
}

#[test]
fn recreate_empties_the_store_and_dry_run_leaves_it_alone() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV).file("other.csv", "id,text\n1601587461603336193,another\n");
    workplace.run(["backfill", "tweets.csv"]);
    assert_shown!(
        workplace,
        "backfill other.csv --dry-run --report json",
        "backfill other.csv --recreate --yes --report json",
        "search ''"
    );
}

/// Starts a backfill of what is written to its stdin.
fn start_pipe(workplace: &Workplace) -> Child {
    workplace
        .command(["backfill", "-", "--report", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Sends Ctrl-C (SIGINT), and returns the output.
fn interrupt(child: Child) -> std::process::Output {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

/// Starts a backfill of endless tweets and waits until some are in the store.
fn endless_backfill(workplace: &Workplace) -> (Child, std::thread::JoinHandle<()>) {
    let mut child = start_pipe(workplace);
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        for i in 0_u64.. {
            let id = 1_601_645_088_790_257_667 + (i << 22);
            if writeln!(
                stdin,
                "{{\"id_str\":\"{id}\",\"text\":\"tweet number {i}\",\"user\":{{}}}}"
            )
            .is_err()
            {
                return;
            }
        }
    });
    let started = Instant::now();
    while count(workplace) == 0 {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing was committed");
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, feeder)
}

fn count(workplace: &Workplace) -> u64 {
    let output = workplace.run(["search", "", "--limit", "0"]);
    let first =
        String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap_or_default().to_owned();
    first.parse().unwrap_or(0)
}

#[test]
fn a_killed_backfill_leaves_whole_tweets_and_can_be_run_again() {
    let workplace = workplace();
    let (mut child, feeder) = endless_backfill(&workplace);
    child.kill().unwrap();
    child.wait().unwrap();
    feeder.join().unwrap();

    let output = workplace.run(["search", "", "--json", "--limit", "100000000"]);
    let documents: Vec<_> =
        BufReader::new(output.stdout.as_slice()).lines().map(Result::unwrap).collect();
    assert!(!documents.is_empty());
    for document in &documents {
        let document: enrich::Document = serde_json::from_str(document).unwrap();
        assert!(document.text.starts_with("tweet number "));
    }
    workplace.file("tweets.csv", CSV);
    let again = workplace.run(["backfill", "tweets.csv"]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(
        count(&workplace),
        documents.len() as u64 + 1,
        "one of the two tweets was there already"
    );
}

#[test]
fn a_second_writer_is_refused_and_the_first_goes_on() {
    let workplace = workplace();
    let (mut child, feeder) = endless_backfill(&workplace);
    workplace.file("tweets.csv", CSV);
    let shown = workplace.show("backfill tweets.csv");
    assert!(
        shown.contains("exit 2") && shown.contains("another indexer is writing to the store"),
        "{shown}"
    );
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
    feeder.join().unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupted_backfill_finishes_what_is_under_way_and_reports() {
    let workplace = workplace();
    let (child, feeder) = endless_backfill(&workplace);
    let output = interrupt(child);
    feeder.join().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let n = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(n("read"), n("created") + n("updated") + n("notices") + n("rejected"));
    assert_eq!(count(&workplace), n("created"));
}

#[test]
fn a_variable_means_the_same_to_all_commands() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV);
    let run = |arguments: &[&str], name: &str, value: &str| {
        let output = workplace.command(arguments).env(name, value).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    // Options that concern a single call have no variable. If one is set all the same, there is a warning.
    for (name, value) in [
        ("INDEXER_MARKETPLACE", "GCP"),
        ("INDEXER_DRY_RUN", "true"),
        ("INDEXER_LIMIT", "0"),
        ("INDEXER_COLUMN", "text=nothing"),
    ] {
        let (code, _, stderr) =
            run(&["backfill", "tweets.csv", "--recreate", "--yes"], name, value);
        assert_eq!(code, Some(0), "{name}: {stderr}");
        assert!(stderr.contains(&format!("warning: the variable {name} is set")), "{stderr}");
        let (_, stdout, _) = run(&["search", ""], name, value);
        assert!(stdout.starts_with("2 tweets"), "{name}: {stdout}");
        assert!(stdout.contains("AWS"), "{name}: {stdout}");
    }
    // The variable of the store applies to all commands.
    run(&["backfill", "tweets.csv"], "INDEXER_STORE", "other");
    let (_, stdout, stderr) = run(&["search", ""], "INDEXER_STORE", "other");
    assert!(stdout.starts_with("2 tweets") && stderr.is_empty(), "{stdout}{stderr}");
}

#[test]
fn what_is_logged_can_be_chosen() {
    let workplace = workplace();
    workplace.file("tweets.csv", "id,text\n1601645088790257667,fine\n7,too old\n");
    for (option, shown, hidden) in [
        ("--quiet", "", "rejected"),
        ("", "1 record was rejected", "reading `tweets.csv`"),
        ("-v", "committed", "hint: an option"),
    ] {
        let mut arguments = vec!["backfill", "tweets.csv"];
        arguments.extend(Some(option).filter(|option| !option.is_empty()));
        let output = workplace.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(shown) && !stderr.contains(hidden), "{option}: {stderr}");
    }
}

#[test]
fn inspect_shows_what_a_source_is_taken_for() {
    let workplace = workplace();
    workplace.file(
        "export.csv",
        "Report:;all tweets\n\nTweet Id;Posted;Full Text;Likes;Notes\n974370000000000001;15/3/2018;\"good; so good\";1,2K;x\n974370000000000002;16/3/2018;bad;many;y\n",
    );
    workplace.file(
        "export.ndjson",
        "{\"tweetId\":\"974370000000000001\",\"content\":\"so good\",\"author\":{\"userName\":\"ann\",\"age\":7}}\n{\"id\":1}\n",
    );
    workplace.file("ids.txt", "974370000000000001\n974370000000000002\n");
    let mut seen = String::new();
    for arguments in ["inspect export.csv", "inspect export.ndjson --json", "inspect ids.txt"] {
        seen += &workplace.show(arguments);
        seen.push('\n');
    }
    insta::with_settings!({ filters => [
        (r#""received_at": ?"[^"]*""#, r#""received_at": "[time]""#),
        (r#""lag_seconds": ?\d+"#, r#""lag_seconds": [n]"#),
    ] }, {
        insta::assert_snapshot!(seen);
    });
}
