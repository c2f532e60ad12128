//! Interpreters and environments that cannot be used, and what is reported of each.

use super::*;

#[tokio::test]
async fn environment_whose_interpreter_is_gone_is_told() {
    let (_folder, environment) = environment();
    for name in ["python", "python3"] {
        fs::remove_file(environment.join("bin").join(name)).expect("it is there");
        symlink("/nowhere/python", environment.join("bin").join(name)).expect("there is room");
    }
    let python = environment.join("bin/python");
    let by_folder = format!(
        "the interpreter that the virtual environment `{}` was created with no longer exists",
        environment.display()
    );
    let by_program =
        format!("the interpreter `{}` is a link to a file that does not exist", python.display());
    for (named, told) in [(&environment, by_folder), (&python, by_program)] {
        let error = oad::python("", "str").interpreter(named).await.expect_err("it is broken");
        assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
        assert!(
            error.to_string().contains(&told) && error.to_string().contains("create"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn python_2_is_refused_by_name() {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map_or_else(|| Path::new(&home).join(".pyenv"), PathBuf::from);
    let versions = fs::read_dir(pyenv.join("versions"));
    let has_pyenv = versions.is_ok();
    let mut folders = versions.into_iter().flatten().flatten();
    let Some(old) = folders.find(|folder| folder.file_name().to_string_lossy().starts_with("2.7"))
    else {
        assert!(
            !has_pyenv || std::env::var_os("CI").is_none(),
            "pyenv has no Python 2.7, and CI must have it"
        );
        return skip("there is no Python 2.7 under pyenv");
    };
    let python = old.path().join("bin/python");
    let error = oad::python("", "str").interpreter(&python).await.expect_err("it is too old");
    assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
    let version = old.file_name().to_string_lossy().into_owned();
    let told = format!(
        "cannot use the interpreter `{}`: it is Python {version}, and oad needs 3.6 or newer",
        python.display()
    );
    assert!(error.to_string().contains(&told), "{error}");
}

#[tokio::test]
async fn what_the_kernel_does_not_run_is_not_run_by_sh_either() {
    let folder = folder();
    let own = fs::read(std::env::current_exe().expect("it has a path")).expect("it can be read");
    for (name, contents) in [("cut", &own[..64]), ("text", &b"touch made\n"[..])] {
        let path = folder.path().join(name);
        fs::write(&path, contents).expect("there is room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let error = oad::python("", "str")
            .interpreter(&path)
            .current_dir(folder.path())
            .await
            .expect_err("it is not an interpreter");
        assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
        let told = "is not executable: it is neither a program for this machine nor a script \
                    with a `#!` line";
        assert!(
            error.to_string().contains(&format!("the interpreter `{}` {told}", path.display())),
            "{error}"
        );
    }
    let made = listing(folder.path());
    assert_eq!(made.len(), 3, "the folder and the two files: {made:?}");
}

#[tokio::test]
async fn empty_path_and_one_that_is_not_utf_8_are_refused() {
    let odd = PathBuf::from(OsStr::from_bytes(b"/odd\xff"));
    let python = || oad::python("", "str");
    for (refused, what) in [
        (python().interpreter(""), "interpreter is empty"),
        (python().path_entry(""), "path entry is empty"),
        (oad::python_file(""), "file is empty"),
        (python().interpreter(&odd), "interpreter, `/odd\u{fffd}`, is not UTF-8"),
        (python().path_entry(&odd), "path entry, `/odd\u{fffd}`, is not UTF-8"),
        (oad::python_file(&odd), "file, `/odd\u{fffd}`, is not UTF-8"),
    ] {
        let error = refused.interpreter("python3").await.expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::BadArguments, "{error}");
        assert!(error.to_string().contains(&format!("the path of the {what}")), "{error}");
    }
}

#[tokio::test]
async fn wrong_home_is_told_at_once() {
    let folder = folder();
    let started = Instant::now();
    let error = with(oad::python("", "str"))
        .env("PYTHONHOME", folder.path())
        .await
        .expect_err("it cannot start");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
    let told = format!(
        "cannot use the interpreter `{}`: it exited or is not Python",
        interpreter().display()
    );
    assert!(error.to_string().contains(&told), "{error}");
    assert!(
        error.to_string().contains("No module named 'encodings'"),
        "it says what Python itself says: {error}"
    );
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
}

#[tokio::test]
async fn interpreter_that_hangs_is_given_up_and_ended() {
    let folder = folder();
    let noted = folder.path().join("pid");
    let hanging = program(
        &folder.path().join("python"),
        &format!("echo $$ > {}\nexec sleep 1000", noted.display()),
    );
    let started = Instant::now();
    let error =
        oad::python("", "str").interpreter(&hanging).start_timeout(Duration::from_secs(1)).await;
    let error = error.expect_err("it hangs");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
    assert!(error.to_string().contains("it did not start within 1s"), "{error}");
    let pid =
        fs::read_to_string(noted).expect("it had started").trim().parse().expect("it is a number");
    support::wait_until_gone(pid, Duration::from_secs(5));
}
