//! Checkout and order history: the ways through the shop that reach payment, orders and the database.

use crate::{
    calendar::{At, Style},
    fault::Fault,
    lines::Level,
    services::Service,
    shop::Shop,
    traffic::{Call, Trace, after, seconds},
};

/// checkout waits this long for orders.
const ORDERS_TIMEOUT_S: f64 = 1.0;
/// The database writes down statements that took longer.
const SLOW_STATEMENT_S: f64 = 0.3;
/// Share of charges the failing release of payment can't do.
const CRASHING_SHARE: f64 = 0.125;

/// How a charge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    Done,
    Declined,
    Crashed,
}

/// The database could not write.
struct NoSpace;

impl Shop {
    pub(crate) fn list_orders(&mut self, at: u64) {
        let (trace, root) = self.trace();
        let (web, orders) = (self.pick(Service::Frontend, at), self.pick(Service::Orders, at));
        let span = self.random.bits() | 1;
        let begun = self.serve(orders, at + 1_000_000, 0.004);
        // Reading needs no room.
        let end = self.query(orders, "SELECT", begun, trace, span).unwrap_or(begun);
        let took = seconds(at, end);
        let (customer, count, thread) =
            (self.random.below(6000), self.random.poisson(3.0), 1 + self.random.below(10));
        let instance = &mut self.instances[orders];
        instance.meters.served("GET", "/orders", 200, took);
        instance.say_of(
            Self::context(trace, span),
            end,
            Level::Info,
            format_args!("{}  INFO 1 --- [orders] [nio-8080-exec-{thread}] c.shop.orders.OrderController : Listed {count} orders of customer {customer} in {:.0} ms", At(end, Style::Iso), took * 1e3),
        );
        self.call(
            trace,
            root,
            Call { from: web, to: orders, name: "GET /orders", start: at, end, failed: false },
        );
        self.access(web, end, "GET", "/account/orders", 200, took + 0.001);
    }

    pub(crate) fn check_out(&mut self, at: u64) {
        let (trace, root) = self.trace();
        let (web, checkout) = (self.pick(Service::Frontend, at), self.pick(Service::Checkout, at));
        let context = Self::context(trace, root);
        let (cart_id, items) = (self.random.bits(), 1 + self.random.poisson(1.6));
        let total = self.random.lognormal(46.0, 0.7);
        self.instances[checkout].say_of(
            context,
            at + 2_000_000,
            Level::Info,
            format_args!(r#"ts={} level=info caller=checkout/handler.go:88 msg="checkout started" cart={cart_id:016x} items={items}"#, At(at + 2_000_000, Style::Iso)),
        );
        let with_cart = self.take_cart(checkout, at + 3_000_000, cart_id, trace, root);
        let order = self.next_order;
        self.next_order += 1;
        let (charged, charge) = self.charge(checkout, with_cart, order, total, trace, root);
        let (end, status) = match charge {
            Charge::Declined => (charged + 1_000_000, 402),
            Charge::Crashed => {
                self.instances[checkout].say_of(
                    context,
                    charged + 500_000,
                    Level::Error,
                    format_args!(r#"ts={} level=error caller=checkout/payment.go:57 msg="charge failed" order={order} err="payment: unexpected status 500""#, At(charged + 500_000, Style::Iso)),
                );
                (charged + 1_000_000, 502)
            }
            Charge::Done => match self.create_order(checkout, charged, order, items, trace, root) {
                Ok(created) => {
                    self.instances[checkout].meters.total += 1;
                    self.instances[checkout].say_of(
                        context,
                        created,
                        Level::Info,
                        format_args!(r#"ts={} level=info caller=checkout/handler.go:131 msg="order placed" order={order} total={total:.2} currency=EUR took={:.0}ms"#, At(created, Style::Iso), seconds(at, created) * 1e3),
                    );
                    self.fulfil(created, order);
                    (created + 1_000_000, 201)
                }
                Err(failed_at) => (failed_at + 1_000_000, 502),
            },
        };
        let took = seconds(at, end);
        self.instances[checkout].meters.served("POST", "/checkout", status, took);
        self.instances[checkout].meters.requests += 1;
        self.call(
            trace,
            root,
            Call { from: web, to: checkout, name: "POST /checkout", start: at, end, failed: status >= 500 },
        );
        self.access(web, end, "POST", "/checkout", status, took + 0.001);
    }

    fn take_cart(&mut self, checkout: usize, at: u64, cart_id: u64, trace: Trace, parent: u64) -> u64 {
        let cart = self.pick(Service::Cart, at);
        let end = self.serve(cart, at, 0.007);
        let (total, thread) = (self.random.lognormal(46.0, 0.7), 1 + self.random.below(10));
        let instance = &mut self.instances[cart];
        instance.meters.served("POST", "/cart/checkout", 200, seconds(at, end));
        instance.say(
            end,
            Level::Info,
            format_args!("{} INFO  [http-nio-8080-exec-{thread}] c.s.cart.CartService - Cart {cart_id:016x} checked out, total {total:.2} EUR", At(end, Style::Comma)),
        );
        self.call(
            trace,
            parent,
            Call { from: checkout, to: cart, name: "POST /cart/checkout", start: at, end, failed: false },
        );
        end
    }

    fn charge(
        &mut self,
        checkout: usize,
        at: u64,
        order: u64,
        total: f64,
        trace: Trace,
        parent: u64,
    ) -> (u64, Charge) {
        let payment = self.pick(Service::Payment, at);
        let begun = self.serve(payment, at, 0.004);
        let crashes = self.fault.is_on(Fault::BadRelease, at) && self.random.chance(CRASHING_SHARE);
        if crashes && self.instances[payment].version != Service::Payment.version() {
            self.fail_charge(payment, begun, order);
            self.instances[payment].meters.served("POST", "/charges", 500, seconds(at, begun));
            self.call(
                trace,
                parent,
                Call {
                    from: checkout,
                    to: payment,
                    name: "POST /charges",
                    start: at,
                    end: begun,
                    failed: true,
                },
            );
            return (begun, Charge::Crashed);
        }
        let mut answered = begun;
        if self.random.chance(0.0012) {
            answered = after(begun, 3.0);
            self.instances[payment].say(
                answered,
                Level::Error,
                format_args!("{} - payment.gateway - ERROR - Bank did not answer within 3000 ms for order {order}, trying again", At(answered, Style::Comma)),
            );
        }
        let bank = self.random.latency(0.16, 0.006);
        let end = after(answered, bank);
        let is_declined = self.random.chance(0.02);
        let reason = *self.random.pick(&["insufficient funds", "expired card", "do not honour"]);
        let (reference, transaction) = (self.random.below(1 << 32), self.random.bits());
        let instance = &mut self.instances[payment];
        instance.meters.charged(bank);
        instance.meters.total += 1;
        let time = At(end, Style::Comma);
        let charge = if is_declined {
            instance.say(
                end,
                Level::Warn,
                format_args!(
                    "{time} - payment.gateway - WARNING - Card declined for order {order}: {reason}"
                ),
            );
            Charge::Declined
        } else {
            instance.say(end, Level::Info, format_args!("{time} - payment.gateway - INFO - Authorized {total:.2} EUR for order {order} in {:.0} ms (ref {reference:08X})", bank * 1e3));
            let booked = end + 2_000_000;
            instance.say(
                booked,
                Level::Info,
                format_args!(
                    "{} - payment.ledger - INFO - Booked transaction {transaction:016x}",
                    At(booked, Style::Comma)
                ),
            );
            Charge::Done
        };
        let status = if is_declined { 402 } else { 200 };
        instance.meters.served("POST", "/charges", status, seconds(at, end));
        self.call(
            trace,
            parent,
            Call { from: checkout, to: payment, name: "POST /charges", start: at, end, failed: false },
        );
        (end, charge)
    }

    /// The failing release meets an order without a billing address.
    fn fail_charge(&mut self, payment: usize, at: u64, order: u64) {
        self.fault.shows(at);
        let trace = [
            "Traceback (most recent call last):",
            "  File \"/app/payment/api.py\", line 118, in create_charge",
            "    score = self.risk.score(order)",
            "  File \"/app/payment/risk.py\", line 64, in score",
            "    country = order.billing[\"country_code\"]",
            "KeyError: 'country_code'",
        ];
        let time = At(at, Style::Comma);
        let instance = &mut self.instances[payment];
        instance.say(
            at,
            Level::Error,
            format_args!("{time} - payment.risk - ERROR - Could not score order {order}, charge aborted"),
        );
        for (place, line) in trace.iter().enumerate() {
            instance.say(at + 1000 * (place as u64 + 1), Level::Error, format_args!("{line}"));
        }
    }

    fn create_order(
        &mut self,
        checkout: usize,
        at: u64,
        order: u64,
        items: u64,
        trace: Trace,
        parent: u64,
    ) -> Result<u64, u64> {
        let orders = self.pick(Service::Orders, at);
        let span = self.random.bits() | 1;
        let thread = 1 + self.random.below(10);
        let begun = self.serve(orders, at, 0.005);
        let mut done = Ok(begun);
        for operation in ["SELECT", "INSERT", "INSERT", "UPDATE"] {
            done = done.and_then(|at| self.query(orders, operation, at, trace, span).map_err(|NoSpace| at));
        }
        let limit = after(at, ORDERS_TIMEOUT_S);
        let customer = self.random.below(6000);
        let context = Self::context(trace, span);
        let (end, failed) = match done {
            Err(failed_at) => {
                self.instances[orders].say_of(
                    context,
                    failed_at,
                    Level::Error,
                    format_args!("{} ERROR 1 --- [orders] [nio-8080-exec-{thread}] c.shop.orders.OrderService    : Could not store order {order}: could not execute statement [ERROR: could not extend file]", At(failed_at, Style::Iso)),
                );
                self.instances[orders].meters.served("POST", "/orders", 500, seconds(at, failed_at));
                self.checkout_error(
                    checkout,
                    failed_at,
                    "orders: unexpected status 500",
                    order,
                    trace,
                    parent,
                );
                (failed_at, true)
            }
            Ok(stored) => {
                let took = seconds(at, stored);
                self.instances[orders].say_of(
                    context,
                    stored,
                    Level::Info,
                    format_args!("{}  INFO 1 --- [orders] [nio-8080-exec-{thread}] c.shop.orders.OrderService    : Created order {order} of customer {customer} with {items} lines in {:.0} ms", At(stored, Style::Iso), took * 1e3),
                );
                self.instances[orders].meters.served("POST", "/orders", 201, took);
                if stored > limit {
                    self.checkout_error(checkout, limit, "context deadline exceeded", order, trace, parent);
                }
                (stored.min(limit), stored > limit)
            }
        };
        self.call(
            trace,
            parent,
            Call { from: checkout, to: orders, name: "POST /orders", start: at, end, failed },
        );
        if failed { Err(end) } else { Ok(end) }
    }

    fn checkout_error(&mut self, checkout: usize, at: u64, error: &str, order: u64, trace: Trace, span: u64) {
        self.instances[checkout].say_of(
            Self::context(trace, span),
            at,
            Level::Error,
            format_args!(r#"ts={} level=error caller=checkout/orders.go:61 msg="storing the order failed" order={order} err="{error}""#, At(at, Style::Iso)),
        );
    }

    /// One statement on the database, from an instance of orders.
    fn query(
        &mut self,
        caller: usize,
        operation: &'static str,
        at: u64,
        trace: Trace,
        parent: u64,
    ) -> Result<u64, NoSpace> {
        let database = self.by_service[Service::OrdersDb as usize][0];
        let is_slow = self.fault.is_on(Fault::SlowDatabase, at);
        let median = if operation == "SELECT" { 0.012 } else { 0.018 };
        let took = if is_slow {
            self.random.latency(5.0 * median, 0.05)
        } else {
            self.random.latency(median, 0.003)
        };
        let end = after(at, took);
        let is_full = self.database_disk.is_full() && operation != "SELECT";
        let name = match operation {
            "SELECT" => "SELECT orders",
            "INSERT" => "INSERT order_lines",
            _ => "UPDATE stock_reservations",
        };
        self.call(trace, parent, Call { from: caller, to: database, name, start: at, end, failed: is_full });
        self.instances[caller].meters.queried(operation, took);
        if is_slow {
            self.fault.shows(end);
        }
        let (client, row) = (4000 + self.random.below(20), self.random.below(900_000));
        let instance = &mut self.instances[database];
        instance.meters.requests += 1;
        let time = At(end, Style::Postgres);
        if is_full {
            let relation = 24_576 + row % 7;
            instance.say(end, Level::Error, format_args!(r#"{time} [{client}] orders@orders ERROR:  could not extend file "base/16402/{relation}": No space left on device"#));
            instance.say(
                end + 1000,
                Level::Error,
                format_args!("{time} [{client}] orders@orders HINT:  Check free disk space."),
            );
            return Err(NoSpace);
        }
        instance.meters.total += 1;
        if took > SLOW_STATEMENT_S {
            let statement = match operation {
                "SELECT" => format!(
                    "SELECT o.* FROM orders o WHERE o.customer_id = {row} ORDER BY o.id DESC LIMIT 20"
                ),
                "INSERT" => format!("INSERT INTO order_lines (order_id, sku, amount) VALUES ({row}, $2, $3)"),
                _ => format!("UPDATE stock_reservations SET state = 'held' WHERE order_id = {row}"),
            };
            instance.say(
                end,
                Level::Info,
                format_args!(
                    "{time} [{client}] orders@orders LOG:  duration: {:.3} ms  statement: {statement}",
                    took * 1e3
                ),
            );
        }
        Ok(end)
    }

    /// Label and mail, some seconds after the order was placed.
    fn fulfil(&mut self, at: u64, order: u64) {
        let shipping = self.pick(Service::Shipping, at);
        let labelled = after(at, 0.3 + self.random.exponential(1.0));
        let labelled = self.serve(shipping, labelled, 0.05);
        let carrier = *self.random.pick(&["DHL", "DPD", "GLS", "Hermes"]);
        let label = self.random.below(10_000_000_000);
        let instance = &mut self.instances[shipping];
        instance.meters.total += 1;
        instance.say(
            labelled,
            Level::Info,
            format_args!(
                "I{}       1 label.go:87] Created label {label:010} for order {order} with {carrier}",
                At(labelled, Style::Klog)
            ),
        );

        let mailer = self.pick(Service::Mailer, at);
        let queued = after(at, 0.5 + self.random.exponential(1.5));
        let delay = self.random.latency(0.9, 0.02);
        let sent = after(queued, delay);
        let id = self.random.below(1 << 40);
        let (customer, relay, client) =
            (self.random.below(6000), self.random.below(4), self.random.below(60_000));
        let outcome = match self.random.unit() {
            x if x < 0.010 => "dsn=4.2.0, status=deferred (host said: 450 4.2.0 greylisted, try again later)",
            x if x < 0.013 => "dsn=5.1.1, status=bounced (host said: 550 5.1.1 no such user)",
            _ => "dsn=2.0.0, status=sent (250 2.0.0 OK)",
        };
        self.mails_queued.push(sent);
        let instance = &mut self.instances[mailer];
        instance.meters.total += 1;
        let (host, pid) = (instance.name.clone(), instance.pid);
        instance.say(queued, Level::Info, format_args!("<22>1 {} {host} postfix/qmgr {pid} - - {id:010X}: from=<orders@shop.example>, size={}, nrcpt=1 (queue active)", At(queued, Style::Iso), 4000 + client));
        instance.say(sent, Level::Info, format_args!("<22>1 {} {host} postfix/smtp {} - - {id:010X}: to=<user{customer:04}@mail.example>, relay=mx{relay}.mail.example[198.51.100.{}]:25, delay={delay:.2}, {outcome}", At(sent, Style::Iso), pid + 7, 10 + relay));
    }
}
