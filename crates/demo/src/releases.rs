//! Restarts and releases: planned, quiet ones, the failing one of a fault, and the kill of a container that ran out.

use crate::{
    calendar::{At, SECOND, Style},
    fault::Fault,
    instance::Instance,
    lines::Level,
    meters::Meters,
    physics::Body,
    random::Random,
    services::Service,
    shop::Shop,
    traffic::after,
};

/// Something that will be done to one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rollout {
    pub(crate) at: u64,
    pub(crate) service: Service,
    pub(crate) number: u8,
    /// A new pod of this version takes its place; without one the container is restarted where it is.
    pub(crate) version: Option<&'static str>,
}

const MINUTE: u64 = 60 * SECOND;

/// What is done on a usual day: a few containers restarted, one small release.
pub(crate) fn usual_day(start: u64, random: &mut Random) -> Vec<Rollout> {
    let restart = |after_min: u64, service: Service, number: u8, random: &mut Random| Rollout {
        at: start + after_min * MINUTE + random.below(15 * MINUTE),
        service,
        number,
        version: None,
    };
    let mut plan = vec![
        restart(18, Service::Catalog, 2, random),
        restart(240, Service::Checkout, 1, random),
        restart(540, Service::Cart, 2, random),
        restart(840, Service::Orders, 1, random),
        restart(1140, Service::Catalog, 1, random),
    ];
    let release = start + 300 * MINUTE + random.below(20 * MINUTE);
    plan.extend((1..=2).map(|number| Rollout {
        at: release + u64::from(number - 1) * 45 * SECOND,
        service: Service::Shipping,
        number,
        version: Some("1.8.3"),
    }));
    plan
}

/// The release that fails.
pub(crate) fn failing_release(start: u64) -> Vec<Rollout> {
    (1..=2)
        .map(|number| Rollout {
            at: start + u64::from(number - 1) * 30 * SECOND,
            service: Service::Payment,
            number,
            version: Some("2.15.0"),
        })
        .collect()
}

impl Shop {
    pub(crate) fn roll_out(&mut self, from: u64, length: u64) {
        if self.fault.sets_in(Fault::BadRelease, from, from + length) {
            self.rollouts.extend(failing_release(from));
        }
        let due: Vec<Rollout> =
            self.rollouts.iter().copied().filter(|r| (from..from + length).contains(&r.at)).collect();
        for rollout in due {
            let found = self.by_service[rollout.service as usize]
                .iter()
                .copied()
                .find(|index| self.instances[*index].number == rollout.number);
            if let Some(index) = found {
                self.replace(index, rollout.at, rollout.version);
            }
        }
    }

    fn replace(&mut self, index: usize, at: u64, version: Option<&'static str>) {
        let service = self.instances[index].service;
        self.farewell(index, at);
        let up_from = after(at, self.random.between(7.0, 12.0));
        let new = match version {
            None => index,
            Some(version) => {
                let number = self.instances[index].number;
                let instance = Instance::new(service, number, version, at + SECOND, &mut self.random);
                self.instances[index].is_retired = true;
                self.instances.push(instance);
                let new = self.instances.len() - 1;
                let place = usize::from(number) - 1;
                self.by_service[service as usize][place] = new;
                self.bodies.push(self.bodies[index]);
                new
            }
        };
        self.bodies[new] = Body::new(service.has_heap(), &mut self.random);
        self.instances[new].meters = Meters::new(at + SECOND);
        self.instances[new].started = at + SECOND;
        self.instances[new].up_from = up_from;
        self.welcome(new, up_from);
    }

    /// A container that reached its memory limit: gone without a word, started again at once.
    pub(crate) fn kill(&mut self, index: usize, at: u64) {
        self.instances[index].logs.forget_from(at);
        let service = self.instances[index].service;
        self.bodies[index] = Body::new(service.has_heap(), &mut self.random);
        let up_from = after(at, self.random.between(9.0, 14.0));
        self.instances[index].meters = Meters::new(at + SECOND);
        self.instances[index].started = at + SECOND;
        self.instances[index].up_from = up_from;
        self.welcome(index, up_from);
    }

    fn farewell(&mut self, index: usize, at: u64) {
        let instance = &mut self.instances[index];
        match instance.service {
            Service::Catalog => instance.say(at, Level::Info, format_args!(r#"{{"time":"{}","level":"INFO","logger":"catalog","msg":"shutting down","signal":"terminated"}}"#, At(at, Style::Iso))),
            Service::Cart => instance.say(at, Level::Info, format_args!("{} INFO  [SpringApplicationShutdownHook] o.s.b.w.e.tomcat.GracefulShutdown - Commencing graceful shutdown. Waiting for active requests to complete", At(at, Style::Comma))),
            Service::Checkout => instance.say(at, Level::Info, format_args!(r#"ts={} level=info caller=checkout/main.go:97 msg="shutting down" signal=terminated"#, At(at, Style::Iso))),
            Service::Payment => instance.say(at, Level::Info, format_args!("{} - gunicorn.error - INFO - Handling signal: term", At(at, Style::Comma))),
            Service::Orders => instance.say(at, Level::Info, format_args!("{}  INFO 1 --- [orders] [ionShutdownHook] o.s.b.w.e.tomcat.GracefulShutdown        : Commencing graceful shutdown. Waiting for active requests to complete", At(at, Style::Iso))),
            Service::Shipping => instance.say(at, Level::Info, format_args!("I{}       1 main.go:71] Received terminated, draining", At(at, Style::Klog))),
            _ => {}
        }
    }

    fn welcome(&mut self, index: usize, up_from: u64) {
        let begun = up_from - 5 * SECOND;
        let took = 4.0 + self.random.unit();
        let instance = &mut self.instances[index];
        let version = instance.version;
        match instance.service {
            Service::Catalog => {
                instance.say(begun, Level::Info, format_args!(r#"{{"time":"{}","level":"INFO","logger":"catalog","msg":"starting","version":"{version}"}}"#, At(begun, Style::Iso)));
                instance.say(up_from, Level::Info, format_args!(r#"{{"time":"{}","level":"INFO","logger":"catalog","msg":"listening","address":":8080"}}"#, At(up_from, Style::Iso)));
            }
            Service::Cart => {
                instance.say(begun, Level::Info, format_args!("{} INFO  [main] com.shop.cart.CartApplication - Starting CartApplication v{version} using Java 21.0.7 with PID 1", At(begun, Style::Comma)));
                instance.say(up_from, Level::Info, format_args!("{} INFO  [main] o.s.b.w.embedded.tomcat.TomcatWebServer - Tomcat started on port 8080 (http) with context path '/'", At(up_from, Style::Comma)));
                instance.say(up_from + 1_000_000, Level::Info, format_args!("{} INFO  [main] com.shop.cart.CartApplication - Started CartApplication in {took:.3} seconds (process running for {:.3})", At(up_from + 1_000_000, Style::Comma), took + 0.6));
            }
            Service::Checkout => {
                instance.say(begun, Level::Info, format_args!(r#"ts={} level=info caller=checkout/main.go:31 msg="starting" version={version} go=1.24.5"#, At(begun, Style::Iso)));
                instance.say(
                    up_from,
                    Level::Info,
                    format_args!(
                        r#"ts={} level=info caller=checkout/main.go:64 msg="listening" address=:8080"#,
                        At(up_from, Style::Iso)
                    ),
                );
            }
            Service::Payment => {
                instance.say(
                    begun,
                    Level::Info,
                    format_args!(
                        "{} - gunicorn.error - INFO - Starting gunicorn 23.0.0",
                        At(begun, Style::Comma)
                    ),
                );
                instance.say(
                    begun + SECOND,
                    Level::Info,
                    format_args!(
                        "{} - payment.app - INFO - payment {version} ready, ledger schema 41",
                        At(begun + SECOND, Style::Comma)
                    ),
                );
                instance.say(
                    up_from,
                    Level::Info,
                    format_args!(
                        "{} - gunicorn.error - INFO - Booting worker with pid: 9",
                        At(up_from, Style::Comma)
                    ),
                );
            }
            Service::Orders => {
                instance.say(begun, Level::Info, format_args!("{}  INFO 1 --- [orders] [           main] com.shop.orders.OrdersApplication        : Starting OrdersApplication v{version} using Java 21.0.7 with PID 1", At(begun, Style::Iso)));
                instance.say(up_from, Level::Info, format_args!("{}  INFO 1 --- [orders] [           main] com.shop.orders.OrdersApplication        : Started OrdersApplication in {took:.3} seconds (process running for {:.3})", At(up_from, Style::Iso), took + 0.6));
            }
            Service::Shipping => {
                instance.say(
                    begun,
                    Level::Info,
                    format_args!(
                        r#"I{}       1 main.go:24] shipping {version} starting"#,
                        At(begun, Style::Klog)
                    ),
                );
                instance.say(
                    up_from,
                    Level::Info,
                    format_args!(
                        "I{}       1 main.go:58] Serving on :9090, 12 carriers configured",
                        At(up_from, Style::Klog)
                    ),
                );
            }
            _ => {}
        }
    }
}
