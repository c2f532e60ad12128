//! Great numbers: of objects that come and go, and of bytes that are printed.

use std::time::{Duration, Instant};

use oad::{Proxy, PythonProxy, Remote as _};

use crate::support::python::script;
use crate::support::{children, resident_kib};
use crate::until;

const NODES: &str = r#"
    import gc, weakref
    class Node: pass
    made = weakref.WeakSet()
    def make():
        node = Node()
        made.add(node)
        return node
    def several(n): return [make() for _ in range(n)]
    def alive():
        gc.collect()
        return len(made)
    def counted(): return sum(type(x) is Node for x in gc.get_objects())
    def same(a, b): return a is b
    one = make()
    another = make()
"#;

/// The interpreter below a daemon that has one.
fn interpreter_of(proxy: &PythonProxy) -> u32 {
    let [interpreter] =
        <[u32; 1]>::try_from(children(proxy.pid())).expect("it has one interpreter");
    interpreter
}

#[tokio::test]
async fn ten_thousand_objects_are_let_go_of_with_their_proxies() {
    const COUNT: usize = 10_000;
    let script = script(NODES).await;
    let before: usize = script.call("alive", ()).await.expect("it answers");
    let mut held: Vec<Proxy> = Vec::new();
    while held.len() < COUNT {
        held.extend(script.call::<Vec<Proxy>>("several", (1000,)).await.expect("they are made"));
        held.push(script.call("make", ()).await.expect("it is made"));
    }
    let count = held.len();
    assert_eq!(script.call::<usize>("alive", ()).await.expect("it answers"), before + count);
    assert_eq!(script.call::<usize>("counted", ()).await.expect("it answers"), before + count);
    // The first half, by one and one; then all that are left.
    held.drain(..count / 2).for_each(drop);
    let half = before + count - count / 2;
    until(async || script.call::<usize>("alive", ()).await.expect("it answers") == half).await;
    drop(held);
    until(async || script.call::<usize>("alive", ()).await.expect("it answers") == before).await;
    assert_eq!(script.call::<usize>("counted", ()).await.expect("it answers"), before);
    until(async || script.daemon().objects().await.expect("it answers").len() == 1).await;
}

#[tokio::test]
async fn twenty_thousand_objects_that_come_and_go_leave_no_memory_taken() {
    let script = script(NODES).await;
    let come_and_go = async |count: usize| {
        for _ in 0..count / 10 {
            drop(script.call::<Vec<Proxy>>("several", (9,)).await.expect("they are made"));
            drop(script.call::<PythonProxy>("make", ()).await.expect("it is made"));
        }
    };
    let memory = || [resident_kib(interpreter_of(&script)), resident_kib(script.pid())];
    come_and_go(2000).await;
    let before = memory();
    come_and_go(20_000).await;
    until(async || script.call::<usize>("alive", ()).await.expect("it answers") == 2).await;
    let after = memory();
    println!("20,000 objects: interpreter and daemon had {before:?} KiB, and have {after:?}");
    assert!(
        after.iter().zip(before).all(|(after, before)| *after < before + 4 * 1024),
        "{before:?}, {after:?}"
    );
}

#[tokio::test]
async fn same_object_comes_back_as_the_same_handle() {
    let script = script(NODES).await;
    let first: PythonProxy = script.getattr("one").await.expect("it answers");
    let again: PythonProxy = script.getattr("one").await.expect("it answers");
    let other: PythonProxy = script.getattr("another").await.expect("it answers");
    assert_eq!(first.handle(), again.handle());
    assert_ne!(first.handle(), other.handle());
    assert!(script.call::<bool>("same", (&first, &again)).await.expect("it answers"));
    assert!(!script.call::<bool>("same", (&first, &other)).await.expect("it answers"));
    // Another handle, when nobody has held the object in between, still means the same
    // object.
    drop((first, again));
    until(async || script.daemon().objects().await.expect("it answers").len() == 2).await;
    let later: [Proxy; 2] = [
        script.getattr("one").await.expect("it answers"),
        script.getattr("one").await.expect("it answers"),
    ];
    assert_eq!(later[0].handle(), later[1].handle());
    assert!(script.call::<bool>("same", (&later[0], &later[1])).await.expect("it answers"));
}

#[tokio::test]
async fn hundred_megabytes_of_noise_block_no_call_and_are_kept_nowhere() {
    const MEGABYTES: usize = 100;
    let source = r#"
        import os, threading
        line = b'\xffnoise' * 1300 + b'\n'
        written = 0
        def write(fd, size):
            global written
            end = written + size
            while written < end: written += os.write(fd, line)
        def noise(megabytes): write(1, megabytes << 20)
        def begin(megabytes):
            global noisy
            noisy = threading.Thread(target=write, args=(2, megabytes << 20))
            noisy.start()
        def is_noisy(): return noisy.is_alive()
        def total(): return written
    "#;
    let script = script(source).await;
    script.call::<()>("noise", (2,)).await.expect("it is only noise");
    let pids = [script.pid(), std::process::id(), interpreter_of(&script)];
    let before = pids.map(resident_kib);
    script.call::<()>("begin", (MEGABYTES / 2,)).await.expect("it answers");
    let (mut calls, mut worst) = (0, Duration::ZERO);
    loop {
        let asked = Instant::now();
        let is_noisy: bool = script.call("is_noisy", ()).await.expect("it answers meanwhile");
        worst = worst.max(asked.elapsed());
        calls += 1;
        if !is_noisy {
            break;
        }
    }
    let started = Instant::now();
    script.call::<()>("noise", (MEGABYTES / 2,)).await.expect("it is only noise");
    let took = started.elapsed();
    assert!(script.call::<usize>("total", ()).await.expect("it answers") >= MEGABYTES << 20);
    let after = pids.map(resident_kib);
    println!(
        "noise: {calls} calls meanwhile, the slowest {worst:?}; 50 MB in {took:?}; daemon, \
         parent, interpreter had {before:?} KiB, and have {after:?}"
    );
    assert!(calls > 10, "{calls} calls came through");
    // This process also runs other tests meanwhile.
    let most = [16 * 1024, 64 * 1024, 16 * 1024];
    assert!(
        (0..3).all(|whose| after[whose] < before[whose] + most[whose]),
        "{before:?}, {after:?}"
    );
    let ended = script.shutdown().await.expect("it ends");
    assert!(ended.is_clean(), "{ended}");
}
