struct Account;

#[oad::object]
impl Account {}

#[oad::object]
trait Bank {
    fn open(&self) -> oad::Result<oad::Shared<Account>>;
    fn close(&self, account: oad::Shared<Account>) -> oad::Result<()>;
}

fn main() {}
