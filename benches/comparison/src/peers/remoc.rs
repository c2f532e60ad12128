//! remoc's remote traits over a Unix socket, with its default codec.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use remoc::prelude::*;
use remoc::rtc::CallError;
use tokio::net::{UnixListener, UnixStream};

use crate::place::Echo;

#[rtc::remote]
pub(crate) trait Calls {
    async fn same(&self, number: u64) -> Result<u64, CallError>;
    async fn items(&self, count: u64) -> Result<rch::mpsc::Receiver<u64>, CallError>;
}

struct Service;

impl Calls for Service {
    async fn same(&self, number: u64) -> Result<u64, CallError> {
        Ok(number)
    }

    async fn items(&self, count: u64) -> Result<rch::mpsc::Receiver<u64>, CallError> {
        let (sender, receiver) = rch::mpsc::channel();
        tokio::spawn(async move {
            for number in 0..count {
                sender.send(number).await.expect("the client reads to the end");
            }
        });
        Ok(receiver)
    }
}

pub(crate) async fn serve(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("the socket's path is free");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection is accepted");
        tokio::spawn(async move {
            let (reader, writer) = stream.into_split();
            let (server, client) =
                CallsServerShared::<_, remoc::codec::Default>::new(Arc::new(Service));
            let connection = remoc::Connect::io(remoc::Cfg::default(), reader, writer);
            // The first connection only finds out whether the socket is there.
            if connection.provide(client).await.is_ok() {
                // It ends with its client, which may close the connection in any way.
                let _ = server.serve().await;
            }
        });
    }
}

/// The client.
#[derive(Clone)]
pub(crate) struct RemocClient(CallsClient);

impl RemocClient {
    pub(crate) async fn connect(socket: PathBuf) -> Self {
        let stream = UnixStream::connect(socket).await.expect("remoc listens");
        let (reader, writer) = stream.into_split();
        let connection = remoc::Connect::io(remoc::Cfg::default(), reader, writer);
        RemocClient(connection.consume().await.expect("remoc sends its client"))
    }

    /// Reads a stream of so many items to its end.
    pub(crate) async fn count_items(&self, count: u64) -> u64 {
        let mut items = self.0.items(count).await.expect("remoc responds");
        let mut next = 0;
        while let Some(item) = items.recv().await.expect("remoc sends an item") {
            assert_eq!(item, next);
            next += 1;
        }
        next
    }
}

impl Echo for RemocClient {
    async fn same(&self, number: u64) -> u64 {
        self.0.same(number).await.expect("remoc responds")
    }
}
