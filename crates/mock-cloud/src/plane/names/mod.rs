//! The region's DNS server: authoritative for the account's domains and for the names of load balancers.

mod zones;

use std::time::Duration;

use hickory_proto::op::{MessageType, Metadata, OpCode, ResponseCode};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};

pub(crate) use zones::Zones;

use std::sync::Arc;

/// How long a silent TCP client is kept.
const TCP_LIMIT: Duration = Duration::from_secs(10);

/// Starts to answer on both sockets.
pub(crate) fn serve(zones: Arc<Zones>, udp: UdpSocket, tcp: TcpListener) -> Server<Answerer> {
    let mut server = Server::new(Answerer(zones));
    server.register_socket(udp);
    server.register_listener(tcp, TCP_LIMIT, 32);
    server
}

/// Answers from the zones as they are at that moment.
pub(crate) struct Answerer(Arc<Zones>);

#[async_trait::async_trait]
impl RequestHandler for Answerer {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut reply: R,
    ) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let answer = match request.request_info() {
            Ok(info) if request.metadata.op_code == OpCode::Query => {
                self.0.look_up(&info.query.name().to_string(), info.query.query_type())
            }
            Ok(_) => zones::Answer::code(ResponseCode::NotImp),
            Err(_) => zones::Answer::code(ResponseCode::FormErr),
        };
        metadata.response_code = answer.code;
        metadata.authoritative = answer.is_authoritative;
        let response = MessageResponseBuilder::from_message_request(request).build(
            metadata,
            &answer.records,
            [],
            &answer.authority,
            [],
        );
        match reply.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "a DNS answer could not be sent");
                let mut metadata =
                    Metadata::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
                metadata.response_code = ResponseCode::ServFail;
                let counts = hickory_proto::op::HeaderCounts::default();
                hickory_proto::op::Header { metadata, counts }.into()
            }
        }
    }
}
