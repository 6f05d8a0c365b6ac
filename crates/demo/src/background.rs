//! What the services do of their own accord: heartbeats, jobs, maintenance, and the small mishaps of every day.

use crate::{
    calendar::{At, SECOND, Style},
    fault::Fault,
    lines::Level,
    services::Service,
    shop::Shop,
    traffic::after,
};

/// report-job runs this often.
pub(crate) const REPORT_EVERY_S: u64 = 300;

/// Mean seconds between two mishaps of a kind on one instance.
const MISHAPS: [(Service, f64, Mishap); 17] = [
    (Service::Frontend, 900.0, Mishap::UpstreamReset),
    (Service::Frontend, 400.0, Mishap::ProbingBot),
    (Service::Catalog, 1500.0, Mishap::ImageFailed),
    (Service::Catalog, 900.0, Mishap::CacheMisses),
    (Service::Cart, 1800.0, Mishap::RedisReconnects),
    (Service::Cart, 2700.0, Mishap::MergeFailed),
    (Service::Payment, 1200.0, Mishap::TokenRefreshed),
    (Service::Orders, 2400.0, Mishap::OptimisticLock),
    (Service::OrdersDb, 1200.0, Mishap::DuplicateKey),
    (Service::OrdersDb, 7200.0, Mishap::Deadlock),
    (Service::Auth, 1500.0, Mishap::ClientGone),
    (Service::Shipping, 600.0, Mishap::CarrierBusy),
    (Service::Shipping, 3600.0, Mishap::NoSuchPlace),
    (Service::Mailer, 1800.0, Mishap::RelayTimeout),
    (Service::Checkout, 2400.0, Mishap::SlowExchangeRates),
    (Service::Orders, 21_600.0, Mishap::ClockLeap),
    (Service::Checkout, 28_800.0, Mishap::PeerList),
];

/// Something small that goes wrong every now and then and mends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    UpstreamReset,
    ProbingBot,
    ImageFailed,
    CacheMisses,
    RedisReconnects,
    MergeFailed,
    TokenRefreshed,
    OptimisticLock,
    DuplicateKey,
    Deadlock,
    ClientGone,
    CarrierBusy,
    NoSuchPlace,
    RelayTimeout,
    SlowExchangeRates,
    ClockLeap,
    PeerList,
}

impl Shop {
    /// Everything that happens without a visitor in one tick.
    pub(crate) fn work_goes_on(&mut self, from: u64, length: u64) {
        for (service, mean_s, mishap) in MISHAPS {
            for place in 0..self.by_service[service as usize].len() {
                let index = self.by_service[service as usize][place];
                if self.random.chance(length as f64 / 1e9 / mean_s) && self.instances[index].is_up(from) {
                    let at = from + self.random.below(length);
                    self.mishap(mishap, index, at);
                }
            }
        }
        let second = from / SECOND;
        for index in 0..self.instances.len() {
            if self.instances[index].is_up(from) {
                self.routine(index, from, second);
            }
        }
        self.guess_passwords(from, length);
        if second.is_multiple_of(REPORT_EVERY_S) {
            self.run_report(from);
        }
    }

    /// Lines that come by the clock. Instances of a service are some seconds apart.
    fn routine(&mut self, index: usize, from: u64, second: u64) {
        let place = second + 7 * u64::from(self.instances[index].number);
        let every = |seconds: u64| place.is_multiple_of(seconds);
        let at = from + self.random.below(SECOND / 20);
        match self.instances[index].service {
            Service::Catalog => {
                if every(10) {
                    self.instances[index].say(at, Level::Debug, format_args!(r#"{{"time":"{}","level":"DEBUG","logger":"catalog.http","msg":"health probe answered","path":"/healthz"}}"#, At(at, Style::Iso)));
                }
                if every(300) {
                    let (products, took) = (2990 + self.random.below(20), self.random.latency(0.8, 0.01));
                    self.instances[index].say(at, Level::Info, format_args!(r#"{{"time":"{}","level":"INFO","logger":"catalog.index","msg":"index refreshed","products":{products},"took_ms":{:.1}}}"#, At(at, Style::Iso), took * 1e3));
                }
            }
            Service::Cart if every(60) => {
                let (carts, took) = (self.random.poisson(6.0), self.random.latency(0.02, 0.01));
                self.instances[index].say(
                    at,
                    Level::Info,
                    format_args!(
                        "{} INFO  [scheduling-1] c.s.cart.ExpiryJob - Expired {carts} carts in {:.0} ms",
                        At(at, Style::Comma),
                        took * 1e3
                    ),
                );
            }
            Service::Payment if every(30) => {
                let used = self.random.poisson(3.0).min(20);
                self.instances[index].say(
                    at,
                    Level::Info,
                    format_args!(
                        "{} - payment.pool - INFO - Connection pool: {used} of 20 in use",
                        At(at, Style::Comma)
                    ),
                );
            }
            Service::Orders if every(30) => {
                let active = self.random.poisson(2.0).min(20);
                self.instances[index].say(at, Level::Debug, format_args!("{} DEBUG 1 --- [orders] [onnection-adder] com.zaxxer.hikari.pool.HikariPool        : HikariPool-1 - Pool stats (total=20, active={active}, idle={}, waiting=0)", At(at, Style::Iso), 20 - active));
            }
            Service::Shipping if every(30) => {
                let took = self.random.latency(0.35, 0.02);
                self.instances[index].say(
                    at,
                    Level::Info,
                    format_args!(
                        "I{}       1 tracker.go:41] Polled 12 carriers in {:.1}ms",
                        At(at, Style::Klog),
                        took * 1e3
                    ),
                );
            }
            Service::Auth if every(900) => {
                let instance = &mut self.instances[index];
                let (host, pid) = (instance.name.clone(), instance.pid);
                instance.say(
                    at,
                    Level::Info,
                    format_args!(
                        "{} {host} authd[{pid}]: session keys rotated, 2 generations kept",
                        At(at, Style::Syslog)
                    ),
                );
            }
            Service::OrdersDb => self.maintain_database(index, at, second),
            Service::Frontend => self.maintain_web_server(index, at, second),
            _ => {}
        }
    }

    fn maintain_database(&mut self, index: usize, at: u64, second: u64) {
        if second.is_multiple_of(300) {
            let (buffers, writing) = (900 + self.random.poisson(600.0), self.random.between(120.0, 268.0));
            let synced = self.random.latency(0.02, 0.02);
            let done = after(at, writing + synced);
            let instance = &mut self.instances[index];
            instance.say(
                at,
                Level::Info,
                format_args!("{} [812] LOG:  checkpoint starting: time", At(at, Style::Postgres)),
            );
            instance.say(done, Level::Info, format_args!("{} [812] LOG:  checkpoint complete: wrote {buffers} buffers ({:.1}%); 0 WAL file(s) added, 1 removed, 4 recycled; write={writing:.3} s, sync={synced:.3} s, total={:.3} s; sync files=41, longest=0.007 s, average=0.001 s; distance=65536 kB, estimate=66112 kB", At(done, Style::Postgres), buffers as f64 / 163.84, writing + synced));
        }
        if self.random.chance(1.0 / 420.0) {
            let table = *self.random.pick(&["orders", "order_lines", "stock_reservations"]);
            let (pages, tuples, worker) =
                (self.random.below(900), self.random.below(40_000), 9000 + self.random.below(900));
            self.instances[index].say(at, Level::Info, format_args!(r#"{} [{worker}] LOG:  automatic vacuum of table "orders.public.{table}": index scans: 1, pages: {pages} removed, tuples: {tuples} removed"#, At(at, Style::Postgres)));
        }
        if self.random.chance(0.08) {
            let (client, node, port) =
                (4000 + self.random.below(20), 10 + self.random.below(8), 30_000 + self.random.below(30_000));
            let instance = &mut self.instances[index];
            instance.say(at, Level::Info, format_args!("{} [{client}] [unknown]@[unknown] LOG:  connection received: host=10.2.0.{node} port={port}", At(at, Style::Postgres)));
            instance.say(at + 3_000_000, Level::Info, format_args!("{} [{client}] orders@orders LOG:  connection authorized: user=orders database=orders application_name=PostgreSQL JDBC Driver", At(at + 3_000_000, Style::Postgres)));
        }
    }

    fn maintain_web_server(&mut self, index: usize, at: u64, second: u64) {
        let (of_hour, number) = (second % 3600, usize::from(self.instances[index].number) - 1);
        let job = match of_hour {
            1021 => "   cd / && run-parts --report /etc/cron.hourly",
            61 => "/usr/sbin/logrotate /etc/logrotate.d/nginx",
            _ if of_hour % 600 == 301 => "command -v debian-sa1 > /dev/null && debian-sa1 1 1",
            _ => return,
        };
        let pid = 10_000 + self.random.below(20_000);
        let instance = &mut self.instances[index];
        let (host, master) = (instance.name.clone(), instance.pid);
        let time = At(at, Style::Syslog);
        instance.say_in(2, at, Level::Info, format_args!("{time} {host} CRON[{pid}]: (root) CMD ({job})"));
        if of_hour == 61 {
            instance.say_in(
                1,
                at + SECOND,
                Level::Info,
                format_args!(
                    "{} [notice] {master}#{master}: signal 10 (SIGUSR1) received from {pid}, reopening logs",
                    At(at + SECOND, Style::Slashes)
                ),
            );
            self.web_disks[number].rotate();
        }
    }

    /// The report every five minutes, and a longer one every hour.
    fn run_report(&mut self, from: u64) {
        let index = self.by_service[Service::ReportJob as usize][0];
        let mut at = after(from, 0.4 + self.random.exponential(0.6));
        if self.fault.is_on(Fault::SilentJob, from) {
            self.fault.shows(at);
            return;
        }
        let rows = self.random.poisson(500.0);
        let begun = from - REPORT_EVERY_S * SECOND;
        let instance = &mut self.instances[index];
        instance.say(
            at,
            Level::Info,
            format_args!(
                "[{}] report.INFO: sales report started for {} to {}",
                At(at, Style::Plain),
                At(begun, Style::Minute),
                At(from, Style::Minute)
            ),
        );
        let started = at;
        at = after(at, 0.3 + self.random.latency(0.9, 0.01));
        instance.say(
            at,
            Level::Info,
            format_args!("[{}] report.INFO: read {rows} rows from orders-db", At(at, Style::Plain)),
        );
        at = after(at, self.random.latency(0.5, 0.01));
        let part = self.random.below(1 << 32);
        instance.say(
            at,
            Level::Info,
            format_args!(
                "[{}] report.INFO: wrote reports/sales/{}/part-{part:08x}.parquet",
                At(at, Style::Plain),
                from / SECOND / 86_400
            ),
        );
        if (from / SECOND).is_multiple_of(3600) {
            at = after(at, self.random.latency(2.0, 0.01));
            instance.say(
                at,
                Level::Info,
                format_args!(
                    "[{}] report.INFO: hourly totals merged, {} parts",
                    At(at, Style::Plain),
                    3600 / REPORT_EVERY_S
                ),
            );
        }
        instance.say(
            at + 40_000_000,
            Level::Info,
            format_args!(
                "[{}] report.NOTICE: sales report finished in {:.1} s",
                At(at + 40_000_000, Style::Plain),
                (at - started) as f64 / 1e9
            ),
        );
        instance.meters.total += rows;
        instance.meters.requests += 1;
    }

    /// A few addresses try passwords against many accounts.
    fn guess_passwords(&mut self, from: u64, length: u64) {
        const NAMES: [&str; 10] =
            ["admin", "root", "test", "shop", "info", "support", "oracle", "guest", "deploy", "backup"];
        if !self.fault.is_on(Fault::PasswordGuessing, from) {
            return;
        }
        for _ in 0..self.random.poisson(6.0 * length as f64 / 1e9) {
            let at = from + self.random.below(length);
            let auth = self.pick(Service::Auth, at);
            let address = format!("198.51.100.{}", 201 + self.random.below(5));
            let unknown = self.random.chance(0.6);
            let user = if unknown {
                (*self.random.pick(&NAMES)).to_owned()
            } else {
                format!("user{:04}", self.random.below(6000))
            };
            self.fault.shows(at);
            self.refuse_login(auth, at, &user, unknown, &address);
            let web = self.pick(Service::Frontend, at);
            self.access(web, at + 2_000_000, "POST", "/login", 401, 0.06);
        }
    }

    fn mishap(&mut self, mishap: Mishap, index: usize, at: u64) {
        let (small, large) = (self.random.below(40), self.random.below(1_000_000));
        let address = self.visitor_address();
        let instance = &mut self.instances[index];
        let (host, pid) = (instance.name.clone(), instance.pid);
        match mishap {
            Mishap::UpstreamReset => instance.say_in(1, at, Level::Error, format_args!(r#"{} [error] {pid}#{pid}: *{large} recv() failed (104: Connection reset by peer) while reading response header from upstream, client: {address}, server: shop.example, request: "GET /product/SKU-{small} HTTP/1.1", upstream: "http://10.2.0.{small}:8080/products/SKU-{small}""#, At(at, Style::Slashes))),
            Mishap::ProbingBot => {
                let path = *self.random.pick(&["/wp-login.php", "/.env", "/phpmyadmin/index.php", "/.git/config"]);
                self.access(index, at, "GET", path, 404, 0.001);
            }
            Mishap::ImageFailed => instance.say(at, Level::Error, format_args!(r#"{{"time":"{}","level":"ERROR","logger":"catalog.images","msg":"image resize failed","product":"SKU-{small}","error":"unsupported color space"}}"#, At(at, Style::Iso))),
            Mishap::CacheMisses => instance.say(at, Level::Warn, format_args!(r#"{{"time":"{}","level":"WARN","logger":"catalog.cache","msg":"cache miss rate high","rate":0.{}}}"#, At(at, Style::Iso), 30 + small)),
            Mishap::RedisReconnects => {
                instance.say(at, Level::Warn, format_args!("{} WARN  [lettuce-epollEventLoop-4-1] i.l.core.protocol.ConnectionWatchdog - Reconnecting, last destination was redis/10.2.0.14:6379", At(at, Style::Comma)));
                instance.say(at + 30_000_000, Level::Info, format_args!("{} INFO  [lettuce-epollEventLoop-4-1] i.l.c.protocol.ReconnectionHandler - Reconnected to redis/10.2.0.14:6379", At(at + 30_000_000, Style::Comma)));
            }
            Mishap::MergeFailed => {
                instance.say(at, Level::Error, format_args!("{} ERROR [http-nio-8080-exec-{}] c.s.cart.CartController - Could not merge carts of session {large:08x}", At(at, Style::Comma), 1 + small % 10));
                let trace = [
                    "java.util.ConcurrentModificationException: cart changed while it was merged",
                    "\tat com.shop.cart.CartStore.merge(CartStore.java:212)",
                    "\tat com.shop.cart.CartService.merge(CartService.java:97)",
                    "\tat com.shop.cart.CartController.login(CartController.java:61)",
                    "\tat java.base/java.lang.Thread.run(Thread.java:1583)",
                ];
                for (place, line) in trace.iter().enumerate() {
                    instance.say(at + 1000 * (place as u64 + 1), Level::Error, format_args!("{line}"));
                }
            }
            Mishap::TokenRefreshed => instance.say(at, Level::Info, format_args!("{} - payment.gateway - INFO - Access token of the bank refreshed, valid for 3600 s", At(at, Style::Comma))),
            Mishap::OptimisticLock => instance.say(at, Level::Warn, format_args!("{}  WARN 1 --- [orders] [nio-8080-exec-{}] c.shop.orders.OrderService    : Order {large} was changed meanwhile, trying again", At(at, Style::Iso), 1 + small % 10)),
            Mishap::DuplicateKey => {
                instance.say(at, Level::Error, format_args!(r#"{} [{}] orders@orders ERROR:  duplicate key value violates unique constraint "payments_ref_key""#, At(at, Style::Postgres), 4000 + small));
                instance.say(at + 1000, Level::Error, format_args!("{} [{}] orders@orders DETAIL:  Key (ref)=({large:08X}) already exists.", At(at, Style::Postgres), 4000 + small));
            }
            Mishap::Deadlock => {
                instance.say(at, Level::Error, format_args!("{} [{}] orders@orders ERROR:  deadlock detected", At(at, Style::Postgres), 4000 + small));
                instance.say(at + 1000, Level::Error, format_args!("{} [{}] orders@orders DETAIL:  Process {} waits for ShareLock on transaction {large}; blocked by process {}.", At(at, Style::Postgres), 4000 + small, 4000 + small, 4001 + small));
            }
            Mishap::ClientGone => instance.say(at, Level::Info, format_args!("{} {host} authd[{pid}]: Connection closed by {address} port {} [preauth]", At(at, Style::Syslog), 30_000 + small)),
            Mishap::CarrierBusy => instance.say(at, Level::Warn, format_args!("W{}       1 carrier.go:133] Carrier DPD answered 429, backing off {}s", At(at, Style::Klog), 1 + small % 5)),
            Mishap::NoSuchPlace => instance.say(at, Level::Error, format_args!("E{}       1 address.go:58] Address of order {large} can't be geocoded: no match", At(at, Style::Klog))),
            Mishap::RelayTimeout => instance.say(at, Level::Warn, format_args!("<20>1 {} {host} postfix/smtp {} - - connect to mx{}.mail.example[198.51.100.{}]:25: Connection timed out", At(at, Style::Iso), pid + 7, small % 4, 10 + small % 4)),
            Mishap::SlowExchangeRates => instance.say(at, Level::Warn, format_args!(r#"ts={} level=warn caller=checkout/rates.go:40 msg="exchange rates are old" age={}m"#, At(at, Style::Iso), 60 + small)),
            Mishap::ClockLeap => instance.say(at, Level::Warn, format_args!("{}  WARN 1 --- [orders] [l-1 housekeeper] com.zaxxer.hikari.pool.HikariPool        : HikariPool-1 - Thread starvation or clock leap detected (housekeeper delta={small}s{large}ms).", At(at, Style::Iso))),
            Mishap::PeerList => instance.say(at, Level::Info, format_args!(r#"ts={} level=info caller=mesh/peers.go:212 msg="peer list changed" added={small} removed={small}"#, At(at, Style::Iso))),
        }
    }
}
