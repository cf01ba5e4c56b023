//! Tunnels between real processes: bytes, ends of connections, failures, real
//! services. Everything is on 127.0.0.1 and bounded in time.

mod broken_cases;
mod bytes;
mod captures;
mod command_line;
mod cut_answers;
mod documents;
mod endpoint;
mod failures;
mod faults;
mod foreign_services;
mod hostile_peers;
mod hostile_to_proxy;
mod i2cp;
mod java_router;
mod limits;
mod lost_logs;
mod matrix;
mod metrics;
mod mocked_http;
mod other_make;
mod pasted;
mod peers;
mod proxy;
mod real_services;
mod recorded_http;
mod scarcity;
mod service_manager;
mod services;
mod short_help;
mod signals;
mod soak;
mod start_order;
mod tls;
