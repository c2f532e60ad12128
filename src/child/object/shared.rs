//! Objects that methods return and accept by reference.

use std::any::{Any, TypeId};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use tokio::sync::{OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use crate::child::object::{Object, ObjectCell, ObjectRef, call_scope, no_such_object};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::park::wait;
use crate::common::value::Handle;

/// An object that stays in its daemon and is passed by reference: where a method returns
/// or takes a `Shared<Account>`, its caller has an `AccountProxy`.
///
/// A method can return a `Shared`, alone or inside any serializable type. Its caller
/// receives a proxy, and the object lives until its last proxy and its last `Shared` are
/// dropped. A method that takes a `Shared` is called with a proxy and receives the same
/// object. An object has one handle, however often it is returned.
///
/// A `Shared` works like an `Arc<RwLock<T>>`: it is cheap to clone, and calls through
/// proxies take turns at the same fair lock. As with any lock, locking two objects in
/// different orders can deadlock. A method that receives its own object as an argument
/// and calls [`write`](Shared::write) on it deadlocks too.
///
/// ```
/// use oad::Shared;
///
/// struct Account(i64);
///
/// #[oad::object]
/// impl Account {
///     fn deposit(&mut self, amount: i64) -> i64 {
///         self.0 += amount;
///         self.0
///     }
/// }
///
/// struct Bank(Vec<Shared<Account>>);
///
/// #[oad::object]
/// impl Bank {
///     fn new() -> Self {
///         Bank(Vec::new())
///     }
///
///     // BankProxy::open(&self, start: i64) -> oad::Call<AccountProxy>
///     fn open(&mut self, start: i64) -> Shared<Account> {
///         let account = Shared::new(Account(start));
///         self.0.push(account.clone());
///         account
///     }
///
///     // BankProxy::close(&self, account: AccountProxy) -> oad::Call<i64>
///     fn close(&mut self, account: Shared<Account>) -> oad::Result<i64> {
///         self.0.retain(|other| *other != account);
///         Ok(account.blocking_read()?.0)
///     }
/// }
///
/// oad::test_daemon!();
/// ```
pub struct Shared<T> {
    object: ObjectRef,
    marker: PhantomData<fn() -> T>,
}

/// A read guard of a [`Shared`] object.
///
/// Others may read the object at the same time, unless its methods run one at a time.
pub struct SharedRef<T: Object>(SharedInner<T>);

/// A write guard of a [`Shared`] object, which has exclusive access.
pub struct SharedMut<T: Object>(OwnedRwLockMappedWriteGuard<ObjectCell, T>);

enum SharedInner<T> {
    Read(OwnedRwLockReadGuard<ObjectCell, T>),
    /// The methods of the object run one at a time, so reading needs exclusive access.
    Exclusive(OwnedRwLockMappedWriteGuard<ObjectCell, T>),
}

// === impl Shared ===

impl<T: Object> Shared<T> {
    /// Wraps an object, which is passed by reference from now on.
    #[must_use]
    pub fn new(object: T) -> Self {
        Shared { object: ObjectRef::new(object.host()), marker: PhantomData }
    }

    /// Waits for shared access to the object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if a method that takes `self` has consumed the object.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: dropping the future gives up the place in the queue.
    pub async fn read(&self) -> Result<SharedRef<T>> {
        let guard = Arc::clone(&self.object.cell).read_owned().await;
        match OwnedRwLockReadGuard::try_map(guard, |cell| {
            cell.as_shared().and_then(<dyn Any>::downcast_ref)
        }) {
            Ok(guard) => Ok(SharedRef(SharedInner::Read(guard))),
            Err(guard) => {
                drop(guard);
                self.write().await.map(|SharedMut(guard)| SharedRef(SharedInner::Exclusive(guard)))
            }
        }
    }

    /// Waits for exclusive access to the object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if a method that takes `self` has consumed the object.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: dropping the future gives up the place in the queue.
    pub async fn write(&self) -> Result<SharedMut<T>> {
        let guard = Arc::clone(&self.object.cell).write_owned().await;
        OwnedRwLockWriteGuard::try_map(guard, |cell| {
            cell.as_exclusive().and_then(<dyn Any>::downcast_mut)
        })
        .map(SharedMut)
        .map_err(|_| no_such_object())
    }

    /// Blocks the thread until it has shared access to the object.
    ///
    /// Use it in sync methods. In an async method it blocks other tasks; use
    /// [`read`](Shared::read) there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if a method that takes `self` has consumed the object.
    pub fn blocking_read(&self) -> Result<SharedRef<T>> {
        wait(self.read())
    }

    /// Blocks the thread until it has exclusive access to the object.
    ///
    /// Use it in sync methods. In an async method it blocks other tasks; use
    /// [`write`](Shared::write) there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if a method that takes `self` has consumed the object.
    pub fn blocking_write(&self) -> Result<SharedMut<T>> {
        wait(self.write())
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared { object: self.object.clone(), marker: PhantomData }
    }
}

/// Compares identity: two are equal if they refer to the same object.
impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.object.address() == other.object.address()
    }
}

impl<T> Eq for Shared<T> {}

/// Serializes as a handle. Fails outside the result of a method of the object's daemon.
impl<T> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match call_scope::current() {
            Some(scope) => scope.hand_out(&self.object).serialize(serializer),
            None => Err(ser::Error::custom(
                "a `Shared` object can only be serialized in the result of a method of its daemon",
            )),
        }
    }
}

/// Deserializes from a handle. Fails outside the arguments of a method of the object's
/// daemon.
impl<'de, T: Object> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = Handle::deserialize(deserializer)?;
        let found = match call_scope::current() {
            Some(scope) => scope.find(&handle),
            None => Err(Error::new(
                ErrorKind::WrongType,
                "a `Shared` object can only be deserialized from an argument of a method",
            )),
        };
        let object = found.map_err(de::Error::custom)?;
        // Compares type ids, because two types may have the same name.
        if object.object_type() != TypeId::of::<T>() {
            let (found, wanted) = (object.description().name, T::DESCRIPTION.name);
            return Err(de::Error::custom(format_args!(
                "the object is a `{found}`, not a `{wanted}`"
            )));
        }
        Ok(Shared { object, marker: PhantomData })
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("type", &self.object.description().name)
            .finish_non_exhaustive()
    }
}

// === impl SharedRef ===

impl<T: Object> Deref for SharedRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            SharedInner::Read(guard) => guard,
            SharedInner::Exclusive(guard) => guard,
        }
    }
}

impl<T: Object> fmt::Debug for SharedRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRef").field("type", &T::DESCRIPTION.name).finish_non_exhaustive()
    }
}

// === impl SharedMut ===

impl<T: Object> Deref for SharedMut<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Object> DerefMut for SharedMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Object> fmt::Debug for SharedMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMut").field("type", &T::DESCRIPTION.name).finish_non_exhaustive()
    }
}
