//! Programs that cannot be a daemon, and what is reported of each.

use super::*;

/// Runs a program that does not become a daemon, and gives what is said of it, without
/// what is different every time.
async fn complaint(executable: &Path) -> (ErrorKind, String) {
    let start = Instant::now();
    let error = wrapped(executable).start_timeout(TIMEOUT).await.expect_err("it is not a daemon");
    assert!(start.elapsed() < TIMEOUT + 10 * SECOND, "{:?}: {error}", start.elapsed());
    let message = error.to_string().replace(&executable.display().to_string(), "PROGRAM");
    let message = message
        .strip_prefix("starting a daemon for Lab")
        .expect("it says what was tried")
        .to_owned();
    let message = match message.strip_prefix(" on daemon ") {
        Some(on) => {
            let (pid, rest) = on.split_once(' ').expect("it names the pid");
            assert_eq!(
                support::state(pid.parse().expect("it is a number")),
                None,
                "nothing is left: {error}"
            );
            rest.strip_prefix("(Lab): ").expect("it names the object").to_owned()
        }
        None => message.trim_start_matches(": ").to_owned(),
    };
    (error.kind(), message)
}

#[tokio::test]
async fn files_that_cannot_be_started_say_why() {
    let folder = Folder::new();
    let other_machine: Vec<u8> =
        [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0\x01\0\0\0"[..], &[0; 40]].concat();
    let cases = [
        (folder.0.path().join("missing"), "No such file or directory (os error 2); check the path"),
        (
            folder.0.path().join("missing/more"),
            "No such file or directory (os error 2); check the path",
        ),
        (
            folder.0.path().to_owned(),
            "Permission denied (os error 13); it must be a file with execute permission",
        ),
        (
            folder.file("plain", b"#!/bin/sh\n", 0o644),
            "Permission denied (os error 13); it must be a file",
        ),
        (
            folder.file("orphan", b"#!/no/such/shell\n", 0o755),
            "No such file or directory (os error 2); check the path; for a script, also the \
             interpreter",
        ),
        (
            folder.file("foreign", &other_machine, 0o755),
            "Exec format error (os error 8); not an executable for this machine",
        ),
        (
            folder.file("text", b"exec \"$@\"\n", 0o755),
            "Exec format error (os error 8); not an executable for this machine; a script needs a \
             `#!` line",
        ),
        (
            folder.file("empty", b"", 0o755),
            "Exec format error (os error 8); not an executable for this machine",
        ),
    ];
    for (executable, expected) in cases {
        let (kind, message) = complaint(&executable).await;
        let expected = format!("failed to start `PROGRAM`: {expected}");
        assert_eq!(kind, ErrorKind::Spawn, "{message}");
        assert!(message.starts_with(&expected), "{message}\n{expected}");
    }
    let nowhere =
        wrapped(Path::new("/bin/true")).current_dir("/nowhere").await.expect_err("it is not there");
    assert!(
        nowhere.to_string().contains("working directory `/nowhere` does not exist"),
        "{nowhere}"
    );
}

#[tokio::test]
async fn programs_that_do_not_serve_say_how_they_failed() {
    let folder = Folder::new();
    let early = "`PROGRAM` ended before it was ready: ";
    let silent =
        "`PROGRAM` was not ready within 400ms; check that its `main` calls `oad::init()` first";
    let garbled = "`PROGRAM` wrote something other than oad's handshake: `";
    let cases = [
        (
            "true",
            ErrorKind::Spawn,
            format!(
                "{early}exited with code 0; check that its `main` \
                                            calls `oad::init()` first"
            ),
        ),
        ("exit 3", ErrorKind::Spawn, format!("{early}exited with code 3")),
        ("kill -SEGV $$", ErrorKind::Spawn, format!("{early}killed by signal 11 (SIGSEGV)")),
        ("kill -9 $$", ErrorKind::Spawn, format!("{early}killed by signal 9 (SIGKILL)")),
        ("head -c 10 <&0; exit 4", ErrorKind::Spawn, format!("{early}exited with code 4")),
        // It daemonizes: the first process ends, and what it left is ended too.
        ("sleep 1000 & exit 0", ErrorKind::Spawn, format!("{early}exited with code 0")),
        ("exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("trap '' TERM; while :; do sleep 1000; done", ErrorKind::Handshake, silent.to_owned()),
        ("exec 0<&-; exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("exec cat", ErrorKind::Handshake, silent.to_owned()),
        ("yes | head -c 1000000; exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("printf '{\"Ready\"' >&0; exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("echo Hello >&0; exec sleep 1000", ErrorKind::Handshake, format!("{garbled}Hello\\n`")),
        (
            "echo '{\"Ready\":1}' >&0; exec sleep 1000",
            ErrorKind::Handshake,
            format!("{garbled}{{\\\"Ready\\\":1}}\\n`"),
        ),
        (
            "printf '\\000\\033[31m\\n' >&0; exec sleep 1000",
            ErrorKind::Handshake,
            format!("{garbled}\\x00\\x1b[31m\\n`"),
        ),
        (
            "exec 3>&0; yes | tr -d '\\n' | head -c 10000000 >&3; exec sleep 1000",
            ErrorKind::Handshake,
            format!("{garbled}yyyyyyyy"),
        ),
        (
            "echo '{\"OtherVersion\":{\"protocol\":99}}' >&0; exec sleep 1000",
            ErrorKind::Version,
            "`PROGRAM` uses version 99 of oad's protocol, but this program uses version 1; build \
             both with the same version"
                .to_owned(),
        ),
        (
            "echo '{\"Ready\":{\"protocol\":2,\"pid\":1,\"endpoint\":{\"Unix\":\"/nowhere\"}}}' \
             >&0; exec sleep 1000",
            ErrorKind::Version,
            "`PROGRAM` uses version 2 of oad's protocol".to_owned(),
        ),
        (
            "echo '{\"Failed\":{\"message\":\"no room\"}}' >&0; exec sleep 1000",
            ErrorKind::Spawn,
            "`PROGRAM` cannot be a daemon: no room".to_owned(),
        ),
        (
            "echo '{\"Terminating\":{\"grace\":{\"secs\":18446744073709551615,\"nanos\":0},\
             \"calls\":0}}' >&0; exec sleep 1000",
            ErrorKind::Handshake,
            "`PROGRAM` ended before it was ready".to_owned(),
        ),
        (
            "echo '{\"Ready\":{\"protocol\":1,\"pid\":1,\"endpoint\":{\"Unix\":\"/nowhere\"}}}' \
             >&0; exec sleep 1000",
            ErrorKind::Handshake,
            "failed to connect to unix:/nowhere: No such file or directory".to_owned(),
        ),
    ];
    for (number, (lines, expected_kind, expected)) in cases.iter().enumerate() {
        let (kind, message) = complaint(&folder.script(&format!("case{number}"), lines)).await;
        assert_eq!(kind, *expected_kind, "{lines}: {message}");
        assert!(message.starts_with(expected), "{lines}\nsays    {message}\nand not {expected}");
    }
}

#[tokio::test]
async fn socket_of_another_process_is_not_trusted() {
    let folder = Folder::new();
    let socket = folder.0.path().join("s");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("the path is free");
    let answer = format!(
        "{{\"Ready\":{{\"protocol\":1,\"pid\":1,\"endpoint\":{{\"Unix\":\"{}\"}}}}}}",
        socket.display()
    );
    let (kind, message) =
        complaint(&folder.script("impostor", &format!("echo '{answer}' >&0; exec sleep 1000")))
            .await;
    assert_eq!(kind, ErrorKind::Handshake);
    let expected = format!("process {} listens there instead of daemon 1", std::process::id());
    assert!(message.ends_with(&expected), "{message}");
}

#[tokio::test]
async fn last_words_of_a_program_that_does_not_serve_are_kept() {
    let folder = Folder::new();
    for lines in ["echo 'no such model' >&2; exit 1", "echo 'no such model' >&2; exec sleep 1000"] {
        let error = wrapped(&folder.script("words", lines))
            .start_timeout(TIMEOUT)
            .await
            .expect_err("it is not a daemon");
        assert_eq!(error.death().map(oad::Death::stderr), Some("no such model\n"), "{error:?}");
    }
}
