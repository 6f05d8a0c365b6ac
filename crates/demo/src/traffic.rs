//! How many visitors come, and what one of them sets off in the shop.

use std::f64::consts::TAU;

use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::SpanKind, status::StatusCode};

use crate::{
    calendar::{At, SECOND, Style},
    instance::{number, text},
    lines::{Level, TraceContext},
    services::Service,
    shop::Shop,
};

/// What a visitor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    Asset,
    Product,
    Search,
    ViewCart,
    AddToCart,
    OrderHistory,
    Login,
    Checkout,
}

/// Visits a second at the busiest time of the day, at scale 1.
pub(crate) const VISITS: [(Visit, f64); 8] = [
    (Visit::Asset, 26.0),
    (Visit::Product, 28.0),
    (Visit::Search, 9.0),
    (Visit::ViewCart, 6.0),
    (Visit::AddToCart, 5.0),
    (Visit::OrderHistory, 4.0),
    (Visit::Login, 2.0),
    (Visit::Checkout, 2.4),
];

/// Traffic at a time of day relative to the busiest: least at 4 in the morning, most at 7 in the evening.
pub(crate) fn rhythm(at: u64) -> f64 {
    let hour = (at / SECOND % 86_400) as f64 / 3600.0;
    let day = 0.5 - 0.5 * (TAU * (hour - 4.0) / 24.0).cos();
    let evening = (-((hour - 19.5) / 2.5).powi(2)).exp();
    (0.35 + 0.45 * day + 0.25 * evening).min(1.0)
}

/// One request through the shop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace {
    pub(crate) id: u128,
    pub(crate) is_sampled: bool,
}

/// One call from an instance to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) name: &'static str,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) failed: bool,
}

pub(crate) fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}

pub(crate) fn after(at: u64, seconds: f64) -> u64 {
    at + (seconds * 1e9) as u64
}

const CATEGORIES: [&str; 8] = ["shoes", "garden", "books", "toys", "kitchen", "lamps", "bikes", "tea"];
const WORDS: [&str; 12] =
    ["red", "lamp", "oak", "table", "wool", "socks", "steel", "kettle", "trail", "tent", "linen", "desk"];

impl Shop {
    /// Everything that visitors set off in one tick.
    pub(crate) fn visitors_come(&mut self, from: u64, length: u64) {
        let rhythm = rhythm(from);
        for (kind, (visit, rate)) in VISITS.iter().enumerate() {
            let mood = self.moods[kind].step(length as f64 / 1e9, &mut self.random);
            let burst = self.random.gamma(30.0);
            let mean = rate * self.options.scale * rhythm * mood.exp() * burst * length as f64 / 1e9;
            for _ in 0..self.random.poisson(mean) {
                let at = from + self.random.below(length);
                self.visit(*visit, at);
            }
        }
    }

    fn visit(&mut self, visit: Visit, at: u64) {
        match visit {
            Visit::Asset => self.fetch_asset(at),
            Visit::Product => self.view_product(at),
            Visit::Search => self.search(at),
            Visit::ViewCart => self.view_cart(at),
            Visit::AddToCart => self.add_to_cart(at),
            Visit::OrderHistory => self.list_orders(at),
            Visit::Login => self.log_in(at),
            Visit::Checkout => self.check_out(at),
        }
    }

    fn fetch_asset(&mut self, at: u64) {
        let web = self.pick(Service::Frontend, at);
        let end = self.serve(web, at, 0.0012);
        let name = self.random.below(400);
        let path = match self.random.below(3) {
            0 => format!("/static/img/{name}.webp"),
            1 => format!("/static/js/chunk-{name:04x}.js"),
            _ => format!("/static/css/{name:03x}.css"),
        };
        let status = if self.random.chance(0.25) { 304 } else { 200 };
        self.access(web, end, "GET", &path, status, seconds(at, end));
    }

    fn view_product(&mut self, at: u64) {
        let (trace, root) = self.trace();
        let (web, catalog) = (self.pick(Service::Frontend, at), self.pick(Service::Catalog, at));
        let end = self.serve(catalog, at + 1_000_000, 0.011);
        let took = seconds(at, end);
        let product = self.random.below(3000);
        let is_missing = self.random.chance(0.008);
        let status = if is_missing { 404 } else { 200 };
        let time = At(end, Style::Iso);
        let instance = &mut self.instances[catalog];
        instance.meters.served("GET", "/products/{id}", status, took);
        if is_missing {
            instance.say(
                end,
                Level::Info,
                format_args!(r#"{{"time":"{time}","level":"INFO","logger":"catalog.http","msg":"product not found","product":"SKU-{product}"}}"#),
            );
        } else {
            let category = CATEGORIES[product as usize % CATEGORIES.len()];
            instance.say(
                end,
                Level::Info,
                format_args!(r#"{{"time":"{time}","level":"INFO","logger":"catalog.http","msg":"product viewed","product":"SKU-{product}","category":"{category}","took_ms":{:.1}}}"#, took * 1e3),
            );
            if took > 0.25 {
                instance.say(
                    end,
                    Level::Warn,
                    format_args!(r#"{{"time":"{time}","level":"WARN","logger":"catalog.store","msg":"slow lookup","product":"SKU-{product}","took_ms":{:.1}}}"#, took * 1e3),
                );
            }
        }
        self.call(
            trace,
            root,
            Call { from: web, to: catalog, name: "GET /products/{id}", start: at, end, failed: false },
        );
        self.access(web, end, "GET", &format!("/product/SKU-{product}"), status, took + 0.001);
    }

    fn search(&mut self, at: u64) {
        let (trace, root) = self.trace();
        let (web, catalog) = (self.pick(Service::Frontend, at), self.pick(Service::Catalog, at));
        let end = self.serve(catalog, at + 1_000_000, 0.034);
        let took = seconds(at, end);
        let (first, second) = (*self.random.pick(&WORDS), *self.random.pick(&WORDS));
        let hits = self.random.poisson(14.0);
        let instance = &mut self.instances[catalog];
        instance.meters.served("GET", "/search", 200, took);
        instance.say(
            end,
            Level::Info,
            format_args!(r#"{{"time":"{}","level":"INFO","logger":"catalog.search","msg":"search served","query":"{first} {second}","hits":{hits},"took_ms":{:.1}}}"#, At(end, Style::Iso), took * 1e3),
        );
        self.call(
            trace,
            root,
            Call { from: web, to: catalog, name: "GET /search", start: at, end, failed: false },
        );
        self.access(web, end, "GET", &format!("/search?q={first}+{second}"), 200, took + 0.001);
    }

    fn view_cart(&mut self, at: u64) {
        let (trace, root) = self.trace();
        let (web, cart) = (self.pick(Service::Frontend, at), self.pick(Service::Cart, at));
        let end = self.serve(cart, at + 1_000_000, 0.006);
        let took = seconds(at, end);
        let (id, items, thread) = (self.random.bits(), self.random.poisson(2.5), 1 + self.random.below(10));
        let instance = &mut self.instances[cart];
        instance.meters.served("GET", "/cart", 200, took);
        instance.say(
            end,
            Level::Info,
            format_args!("{} INFO  [http-nio-8080-exec-{thread}] c.s.cart.CartService - Cart {id:016x} loaded with {items} items in {:.0} ms", At(end, Style::Comma), took * 1e3),
        );
        self.call(
            trace,
            root,
            Call { from: web, to: cart, name: "GET /cart", start: at, end, failed: false },
        );
        self.access(web, end, "GET", "/cart", 200, took + 0.001);
    }

    fn add_to_cart(&mut self, at: u64) {
        let (trace, root) = self.trace();
        let (web, cart) = (self.pick(Service::Frontend, at), self.pick(Service::Cart, at));
        let catalog = self.pick(Service::Catalog, at);
        let product = self.random.below(3000);
        let checked = self.serve(catalog, at + 3_000_000, 0.005);
        let end = self.serve(cart, checked, 0.008);
        let took = seconds(at, end);
        let (id, items, thread) =
            (self.random.bits(), 1 + self.random.poisson(0.3), 1 + self.random.below(10));
        let stock = self.random.poisson(40.0);
        let shelf = &mut self.instances[catalog];
        shelf.meters.served("GET", "/stock/{id}", 200, seconds(at, checked));
        shelf.say(
            checked,
            Level::Info,
            format_args!(r#"{{"time":"{}","level":"INFO","logger":"catalog.http","msg":"stock checked","product":"SKU-{product}","stock":{stock}}}"#, At(checked, Style::Iso)),
        );
        let instance = &mut self.instances[cart];
        instance.meters.served("POST", "/cart/items", 201, took);
        instance.say(
            end,
            Level::Info,
            format_args!("{} INFO  [http-nio-8080-exec-{thread}] c.s.cart.CartService - Added {items} x SKU-{product} to cart {id:016x}", At(end, Style::Comma)),
        );
        let span = self.call(
            trace,
            root,
            Call { from: web, to: cart, name: "POST /cart/items", start: at, end, failed: false },
        );
        self.call(
            trace,
            span,
            Call {
                from: cart,
                to: catalog,
                name: "GET /stock/{id}",
                start: at + 2_000_000,
                end: checked,
                failed: false,
            },
        );
        self.access(web, end, "POST", "/cart/items", 201, took + 0.001);
    }

    fn log_in(&mut self, at: u64) {
        let web = self.pick(Service::Frontend, at);
        let auth = self.pick(Service::Auth, at);
        let end = self.serve(auth, at + 1_000_000, 0.09);
        let user = self.random.below(6000);
        let address = self.visitor_address();
        let took = seconds(at, end);
        let failed = self.random.chance(0.04);
        if failed {
            let unknown = self.random.chance(0.1);
            self.refuse_login(auth, end, &format!("user{user:04}"), unknown, &address);
        } else {
            let port = 30_000 + self.random.below(30_000);
            let instance = &mut self.instances[auth];
            let (time, host, pid) = (At(end, Style::Syslog), instance.name.clone(), instance.pid);
            instance.meters.logins[0] += 1;
            instance.say(end, Level::Info, format_args!("{time} {host} authd[{pid}]: Accepted password for user{user:04} from {address} port {port} ssl"));
            instance.say(end, Level::Info, format_args!("{time} {host} authd[{pid}]: pam_unix(shop:session): session opened for user user{user:04}(uid={user}) by (uid=0)"));
        }
        let status = if failed { 401 } else { 200 };
        self.instances[auth].meters.served("POST", "/login", status, took);
        let (trace, root) = self.trace();
        self.call(
            trace,
            root,
            Call { from: web, to: auth, name: "POST /login", start: at, end, failed: false },
        );
        self.access(web, end, "POST", "/login", status, took + 0.001);
    }

    /// A failed login, as auth writes it.
    pub(crate) fn refuse_login(&mut self, auth: usize, at: u64, user: &str, unknown: bool, address: &str) {
        let port = 30_000 + self.random.below(30_000);
        let invalid = if unknown { "invalid user " } else { "" };
        let instance = &mut self.instances[auth];
        let (time, host, pid) = (At(at, Style::Syslog), instance.name.clone(), instance.pid);
        instance.meters.logins[1] += 1;
        if !unknown {
            instance.say(at, Level::Info, format_args!("{time} {host} authd[{pid}]: pam_unix(shop:auth): authentication failure; logname= uid=0 euid=0 tty=web ruser= rhost={address}  user={user}"));
        }
        instance.say(at, Level::Info, format_args!("{time} {host} authd[{pid}]: Failed password for {invalid}{user} from {address} port {port} ssl"));
    }

    /// An instance of `service` that takes requests at `at`; the first one where none does.
    pub(crate) fn pick(&mut self, service: Service, at: u64) -> usize {
        let first = self.random.below(1 << 16) as usize;
        let of_service = &self.by_service[service as usize];
        (0..of_service.len())
            .map(|step| of_service[(first + step) % of_service.len()])
            .find(|index| self.instances[*index].is_up(at))
            .unwrap_or(of_service[0])
    }

    /// An instance works on something from `start` on; says when it is done.
    pub(crate) fn serve(&mut self, index: usize, start: u64, median: f64) -> u64 {
        let took = self.random.latency(median, 0.003);
        let instance = &mut self.instances[index];
        instance.meters.requests += 1;
        after(start.max(instance.paused_until), took)
    }

    pub(crate) fn visitor_address(&mut self) -> String {
        let network = *self.random.pick(&["192.0.2", "203.0.113"]);
        format!("{network}.{}", 1 + self.random.below(254))
    }

    /// A new trace and the id of its root span.
    pub(crate) fn trace(&mut self) -> (Trace, u64) {
        let id = u128::from(self.random.bits()) << 64 | u128::from(self.random.bits());
        let is_sampled = self.random.chance(self.options.traced_share);
        (Trace { id, is_sampled }, self.random.bits() | 1)
    }

    /// Records a call as a client span and a server span, where its trace is sampled; gives the server span's id.
    pub(crate) fn call(&mut self, trace: Trace, parent: u64, call: Call) -> u64 {
        let (client, server) = (self.random.bits() | 1, self.random.bits() | 1);
        if !trace.is_sampled {
            return server;
        }
        let to = self.instances[call.to].service;
        let mut attributes =
            vec![text("peer.service", to.name()), text("server.address", &format!("{}.shop.svc", to.name()))];
        if to == Service::OrdersDb {
            attributes.push(text("db.system.name", "postgresql"));
            attributes.push(text("db.query.summary", call.name));
        } else {
            attributes.push(number("http.response.status_code", if call.failed { 500 } else { 200 }));
        }
        let status = call.failed.then(|| Status { code: StatusCode::Error.into(), message: String::new() });
        let span = |id: u64, parent: u64, kind: SpanKind, margin: u64| Span {
            trace_id: trace.id.to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            parent_span_id: parent.to_be_bytes().to_vec(),
            name: call.name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: call.start + margin,
            end_time_unix_nano: call.end.max(call.start + 2 * margin + 1) - margin,
            status: status.clone(),
            ..Span::default()
        };
        self.instances[call.from]
            .spans
            .push(Span { attributes, ..span(client, parent, SpanKind::Client, 0) });
        if to != Service::OrdersDb {
            let attributes = vec![text("http.route", call.name)];
            self.instances[call.to]
                .spans
                .push(Span { attributes, ..span(server, client, SpanKind::Server, 100_000) });
        }
        server
    }

    /// A line of nginx' access log, and its request in the front end's figures.
    pub(crate) fn access(
        &mut self,
        web: usize,
        at: u64,
        method: &'static str,
        path: &str,
        status: u16,
        took: f64,
    ) {
        let address = self.visitor_address();
        let bytes = if status == 304 { 0 } else { self.random.lognormal(4200.0, 0.8) as u64 };
        let agent = *self.random.pick(&AGENTS);
        let instance = &mut self.instances[web];
        instance.meters.total += 1;
        self.web_disks[usize::from(instance.number) - 1].wrote_line();
        instance.say(
            at,
            Level::Info,
            format_args!(r#"{address} - - [{}] "{method} {path} HTTP/1.1" {status} {bytes} "https://shop.example/" "{agent}" {took:.3}"#, At(at, Style::Common)),
        );
    }

    pub(crate) fn context(trace: Trace, span: u64) -> TraceContext {
        TraceContext { trace: trace.id, span }
    }
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
    "shop-app/6.2 (iOS 18.5)",
];
