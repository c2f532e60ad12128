//! The daemon's `tracing` events, for the `Logs` RPC.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::broadcast;
use tokio_stream::Stream;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::common::wire::pb;

/// How many events are buffered for a slow subscriber. After that the oldest are dropped
/// and counted.
const MAX_BUFFERED: usize = 1024;

/// The daemon's `tracing` events, from its objects and from oad. They cost next to
/// nothing while nobody subscribes.
#[derive(Clone, Debug)]
pub(crate) struct Logs(Arc<LogsShared>);

#[derive(Debug)]
struct LogsShared {
    is_installed_on_demand: bool,
    events: broadcast::Sender<Arc<pb::LogsResponse>>,
    /// The level of each subscription.
    levels: Mutex<Vec<pb::LogLevel>>,
    /// The most verbose of them; `LOG_LEVEL_UNSPECIFIED` without a subscription.
    most_verbose: AtomicI32,
}

/// A stream of the events of every level that any subscriber wants.
pub(super) struct LogSubscription {
    events: BroadcastStream<Arc<pb::LogsResponse>>,
    level: pb::LogLevel,
    logs: Logs,
}

impl Logs {
    /// Returns logs without events, for a daemon embedded in a program that handles its
    /// own.
    pub(crate) fn disabled() -> Self {
        Logs::new(false)
    }

    fn new(is_installed_on_demand: bool) -> Self {
        Logs(Arc::new(LogsShared {
            is_installed_on_demand,
            events: broadcast::Sender::new(MAX_BUFFERED),
            levels: Mutex::default(),
            most_verbose: AtomicI32::new(pb::LogLevel::Unspecified.into()),
        }))
    }

    /// Returns logs that become the process's `tracing` subscriber when somebody first
    /// subscribes to them, unless there is one. Until then an object may set its own.
    pub(crate) fn on_demand() -> Self {
        Logs::new(true)
    }

    pub(super) fn subscribe(&self, level: pb::LogLevel) -> LogSubscription {
        if self.0.is_installed_on_demand {
            // Fails if it is installed already, or if the program or an object has set
            // a subscriber. Then events go there.
            let _ = tracing::subscriber::set_global_default(self.clone());
        }
        let events = BroadcastStream::new(self.0.events.subscribe());
        self.change(|levels| levels.push(level));
        LogSubscription { events, level, logs: self.clone() }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<pb::LogLevel>)) {
        {
            let mut levels = self.0.levels.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut levels);
            let max = levels.iter().copied().max().unwrap_or(pb::LogLevel::Unspecified);
            self.0.most_verbose.store(max.into(), Ordering::Relaxed);
        }
        // Each callsite caches whether any subscriber is interested.
        tracing::callsite::rebuild_interest_cache();
    }

    fn most_verbose(&self) -> i32 {
        self.0.most_verbose.load(Ordering::Relaxed)
    }
}

impl Stream for LogSubscription {
    type Item = Result<Arc<pb::LogsResponse>, BroadcastStreamRecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.events).poll_next(cx)
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.logs.change(|levels| {
            if let Some(at) = levels.iter().position(|level| *level == self.level) {
                levels.swap_remove(at);
            }
        });
    }
}

/// Spans are not reported, only events.
impl Subscriber for Logs {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && i32::from(level_to_pb(*metadata.level())) <= self.most_verbose()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match pb::LogLevel::try_from(self.most_verbose()) {
            Ok(pb::LogLevel::Error) => LevelFilter::ERROR,
            Ok(pb::LogLevel::Warn) => LevelFilter::WARN,
            Ok(pb::LogLevel::Info) => LevelFilter::INFO,
            Ok(pb::LogLevel::Debug) => LevelFilter::DEBUG,
            Ok(pb::LogLevel::Trace) => LevelFilter::TRACE,
            Ok(pb::LogLevel::Unspecified) | Err(_) => LevelFilter::OFF,
        })
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = LogFields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let metadata = event.metadata();
        let record = pb::LogsResponse {
            level: level_to_pb(*metadata.level()).into(),
            target: metadata.target().to_owned(),
            message,
            fields: fields.0,
            lost: 0,
        };
        // The last subscriber may have just gone.
        let _ = self.0.events.send(Arc::new(record));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct LogFields(HashMap<String, String>);

impl Visit for LogFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn level_to_pb(level: Level) -> pb::LogLevel {
    match level {
        Level::ERROR => pb::LogLevel::Error,
        Level::WARN => pb::LogLevel::Warn,
        Level::INFO => pb::LogLevel::Info,
        Level::DEBUG => pb::LogLevel::Debug,
        Level::TRACE => pb::LogLevel::Trace,
    }
}
