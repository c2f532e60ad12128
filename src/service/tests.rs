//! The services as a client of another language would use them: frame by frame.

use futures_util::StreamExt as _;
use oad::Remote as _;
use tokio::time::timeout;

use super::*;
use crate::wire::pb::objects_client::ObjectsClient;

/// Long enough for anything that happens at all.
const LONG: Duration = Duration::from_secs(10);

struct Shop;

#[oad::object]
impl Shop {
    fn new() -> Self {
        Shop
    }

    fn numbers(&self, count: i64) -> impl Iterator<Item = i64> {
        0..count
    }
}

async fn shop() -> (ShopProxy, ObjectsClient<oad::Channel>) {
    let shop = ShopProxy::new().in_process().await.expect("a daemon can be made");
    let objects = ObjectsClient::new(shop.daemon().channel());
    (shop, objects)
}

fn int(value: i64) -> pb::Value {
    crate::wire::value_to_pb(crate::value::Value::Int(value))
}

#[tokio::test]
async fn items_asked_for_by_hand_come_to_an_end() {
    let (_shop, mut objects) = shop().await;
    let request = pb::IterateRequest { method: "numbers".to_owned(), arguments: vec![int(40)], ..Default::default() };
    let items = objects.iterate(request).await.expect("it opens").into_inner();
    let items = timeout(LONG, items.collect::<Vec<_>>()).await.expect("it ends");
    assert_eq!(items.len(), 40);
    assert!(items.iter().all(std::result::Result::is_ok));
}
