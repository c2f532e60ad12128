//! A gRPC service of one's own, from one's own `.proto`, in a daemon: oad starts it,
//! connects to it and ends it.

use greeter::greeter_client::GreeterClient;
use greeter::greeter_server::{Greeter, GreeterServer};
use greeter::{GreetRequest, GreetResponse};
use tokio_stream::{Iter, StreamExt as _};
use tonic::{Request, Response, Status};

mod greeter {
    tonic::include_proto!("greeter.v1");
}

const DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("greeter_descriptor");

#[derive(Clone)]
struct Greetings;

#[tonic::async_trait]
impl Greeter for Greetings {
    type GreetOftenStream = Iter<std::vec::IntoIter<Result<GreetResponse, Status>>>;

    async fn greet(
        &self,
        request: Request<GreetRequest>,
    ) -> Result<Response<GreetResponse>, Status> {
        let name = request.into_inner().name;
        if name == "nobody" {
            std::process::exit(3); // dies of it
        }
        if name.len() > 1000 {
            return Err(Status::invalid_argument(format!("`{name}` is too long")));
        }
        Ok(Response::new(GreetResponse {
            greeting: format!("hello, {name}!"),
            pid: std::process::id(),
        }))
    }

    async fn greet_often(
        &self,
        request: Request<GreetRequest>,
    ) -> Result<Response<Self::GreetOftenStream>, Status> {
        let GreetRequest { name, times } = request.into_inner();
        let response =
            GreetResponse { greeting: format!("hello again, {name}!"), pid: std::process::id() };
        Ok(Response::new(tokio_stream::iter(vec![Ok(response); times as usize])))
    }
}

fn add(services: oad::Services) -> oad::Services {
    services.add_service(GreeterServer::new(Greetings), DESCRIPTOR_SET)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    oad::init_with(add); // in the daemon it serves, and never returns

    // The channel keeps the daemon alive.
    let mut greeter = GreeterClient::new(oad::daemon().await?.channel());
    let request = |name: &str| GreetRequest { name: name.to_owned(), times: 2 };
    println!("{:?}", greeter.greet(request("you")).await?.into_inner());
    let mut greetings = greeter.greet_often(request("you")).await?.into_inner();
    while let Some(greeting) = greetings.next().await {
        println!("{:?}", greeting?);
    }
    println!("{}", greeter.greet(request("nobody")).await.expect_err("it dies of it"));
    Ok(()) // and with the channel the daemon would go
}

#[cfg(test)]
mod tests;
