//! Where objects and interpreters are found, and where modules are looked for.

use std::path::Path;
use std::process::Command;

use oad::{PythonProxy, Remote as _};

use crate::support::children;
use crate::support::python::{dedent, interpreter, make_environment, with};
use crate::{folder, program, write};

#[tokio::test]
async fn module_is_found_by_the_path_of_its_file() {
    let folder = folder();
    write(&folder.path().join("oad_sibling.py"), "");
    let file = write(
        &folder.path().join("oad_mine.py"),
        &dedent(
            r#"
            import sys
            limit = 3
            def double(n): return n * 2
            def path(): return sys.path
            def fail():
                raise ValueError('no')  # for a reason
            def sibling(): import oad_sibling
            "#,
        ),
    );
    let mine = with(oad::python_file(&file)).await.expect("it is made");
    assert_eq!(mine.type_name(), "module");
    assert_eq!(mine.getattr::<String>("__name__").await.expect("it answers"), "oad_mine");
    assert_eq!(Path::new(&mine.getattr::<String>("__file__").await.expect("it answers")), file);
    assert_eq!(mine.getattr::<i64>("limit").await.expect("it answers"), 3);
    assert_eq!(mine.call::<i64>("double", (4,)).await.expect("it answers"), 8);
    let error = mine.call::<()>("fail", ()).await.expect_err("it fails");
    let traceback =
        error.exception().and_then(|exception| exception.traceback()).expect("it has one");
    let line = format!(
        "File \"{}\", line 6, in fail\n    raise ValueError('no')  # for a reason",
        file.display()
    );
    assert!(traceback.contains(&line), "{traceback}");

    let path: Vec<String> = mine.call("path", ()).await.expect("it answers");
    assert!(!path.iter().any(|entry| Path::new(entry) == folder.path()), "{path:?}");
    let error = mine.call::<()>("sibling", ()).await.expect_err("its folder is not searched");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "ModuleNotFoundError");
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 2, "nothing was written there");
}

#[tokio::test]
async fn modules_and_nested_names_are_found_by_their_dotted_names() {
    let path = with(oad::python_module("os.path")).await.expect("it is made");
    assert_eq!(path.call::<String>("basename", ("/a/b",)).await.expect("it answers"), "b");
    let daemon = path.daemon();
    let element =
        with(oad::python_module("xml.dom.minidom")).within(daemon).await.expect("it is imported");
    assert_eq!(element.getattr::<String>("__name__").await.expect("it answers"), "xml.dom.minidom");
    let source = r#"
        class Outer:
            class Inner:
                def __init__(self, size): self.size = size
                @classmethod
                def large(cls): return cls(100)
    "#;
    with(oad::python_script("nested.py", dedent(source))).within(daemon).await.expect("it is made");
    let inner =
        with(oad::python("nested", "Outer.Inner")).arg(4).within(daemon).await.expect("it is made");
    assert_eq!(inner.type_name(), "nested.Outer.Inner");
    assert_eq!(inner.getattr::<i64>("size").await.expect("it answers"), 4);
    let large =
        with(oad::python("nested", "Outer.Inner.large")).within(daemon).await.expect("it is made");
    assert_eq!(large.getattr::<i64>("size").await.expect("it answers"), 100);
    let class =
        with(oad::python_name("nested", "Outer.Inner")).within(daemon).await.expect("it is found");
    assert_eq!(class.type_name(), "type");
    let made: PythonProxy = class.invoke((7,)).await.expect("it is made");
    assert_eq!(made.getattr::<i64>("size").await.expect("it answers"), 7);
}

/// What an interpreter says of itself that is named so where `PATH` is that folder, and
/// whether it is the daemon's only child.
async fn named_on_path(name: &str, folder: &Path) -> String {
    let sys = oad::python_module("sys")
        .interpreter(name)
        .env("PATH", format!("/nowhere:{}:/usr/bin:/bin", folder.display()));
    let sys = sys.await.expect("it is found");
    let os =
        oad::python_module("os").interpreter(name).within(sys.daemon()).await.expect("it is found");
    let pid: u32 = os.call("getpid", ()).await.expect("it answers");
    assert_eq!(children(sys.pid()), [pid], "nothing stands between");
    sys.getattr("base_prefix").await.expect("it answers")
}

#[tokio::test]
async fn interpreter_is_found_by_a_name_on_the_path_of_the_daemon() {
    let folder = folder();
    let expected = told_by(&interpreter(), "sys.base_prefix");
    std::os::unix::fs::symlink(interpreter(), folder.path().join("oad-link"))
        .expect("there is room");
    assert_eq!([named_on_path("oad-link", folder.path()).await], *expected);
    // As pyenv's are, and others that choose a version.
    let shim = format!(
        "#!/usr/bin/env bash\nset -e\nprogram=\"${{0##*/}}\"\n\
         export OAD_SHIM=\"$program\"\nexec '{}' \"$@\"\n",
        interpreter().display()
    );
    program(&folder.path().join("oad-shim"), &shim);
    assert_eq!([named_on_path("oad-shim", folder.path()).await], *expected);
}

/// What an interpreter prints itself, as the lines of a list.
fn told_by(python: &Path, list: &str) -> Vec<String> {
    let code = format!("import sys\nfor item in [{list}]: print(item)");
    let output = Command::new(python).args(["-c", &code]).output().expect("it can be started");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn object_sees_the_path_of_its_own_environment_and_nothing_of_the_callers() {
    let folder = folder();
    let environment = folder.path().join("venv");
    make_environment(&environment, &["--without-pip"]);
    let python = environment.join("bin/python");
    // What -c puts in front stands for the current directory.
    let path = "*[entry for entry in sys.path if entry != '']";
    let own = told_by(&python, path);
    assert!(own.iter().any(|entry| Path::new(entry).starts_with(&environment)), "{own:?}");
    for named in [&environment, &python] {
        let sys = oad::python_module("sys")
            .interpreter(named)
            .current_dir(folder.path())
            .await
            .expect("it is made");
        assert_eq!(sys.getattr::<Vec<String>>("path").await.expect("it answers"), own);
        for name in ["prefix", "base_prefix", "exec_prefix"] {
            let there: String = sys.getattr(name).await.expect("it answers");
            assert_eq!([there], *told_by(&python, &format!("sys.{name}")), "{name}");
        }
    }
    let sys = oad::python_module("sys")
        .interpreter(&environment)
        .path_entry(folder.path())
        .path_entry("/nowhere");
    let sys = sys.await.expect("it is made");
    let with_entries: Vec<String> = sys.getattr("path").await.expect("it answers");
    let entries = [folder.path().to_string_lossy().into_owned(), "/nowhere".to_owned()];
    assert_eq!(with_entries, [&entries[..], &own].concat());
    assert_eq!(sys.getattr::<Vec<String>>("argv").await.expect("it answers"), [""]);
}
