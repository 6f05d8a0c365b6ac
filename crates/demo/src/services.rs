//! The services of the shop: what they are called, how many there are of each, and how their telemetry is shipped.

/// A service of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Service {
    Frontend,
    Catalog,
    Cart,
    Checkout,
    Payment,
    Orders,
    OrdersDb,
    Auth,
    Shipping,
    Mailer,
    ReportJob,
}

/// Where an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// A virtual machine of its own.
    Host,
    /// A pod on one of the cluster's nodes.
    Pod,
}

impl Service {
    pub(crate) const ALL: [Self; 11] = [
        Self::Frontend,
        Self::Catalog,
        Self::Cart,
        Self::Checkout,
        Self::Payment,
        Self::Orders,
        Self::OrdersDb,
        Self::Auth,
        Self::Shipping,
        Self::Mailer,
        Self::ReportJob,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Catalog => "catalog",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Payment => "payment",
            Self::Orders => "orders",
            Self::OrdersDb => "orders-db",
            Self::Auth => "auth",
            Self::Shipping => "shipping",
            Self::Mailer => "mailer",
            Self::ReportJob => "report-job",
        }
    }

    pub(crate) const fn instances(self) -> u8 {
        match self {
            Self::Catalog => 3,
            Self::OrdersDb | Self::Mailer | Self::ReportJob => 1,
            _ => 2,
        }
    }

    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::Frontend => "1.27.3",
            Self::Catalog => "4.11.0",
            Self::Cart => "3.2.7",
            Self::Checkout => "1.44.2",
            Self::Payment => "2.14.3",
            Self::Orders => "5.0.9",
            Self::OrdersDb => "16.9",
            Self::Auth => "0.9.31",
            Self::Shipping => "1.8.2",
            Self::Mailer => "3.9.4",
            Self::ReportJob => "0.7.0",
        }
    }

    pub(crate) const fn home(self) -> Home {
        match self {
            Self::Frontend | Self::OrdersDb | Self::Auth | Self::Mailer | Self::ReportJob => Home::Host,
            _ => Home::Pod,
        }
    }

    /// Whether its records come through an SDK or a parser that knows their time.
    pub(crate) const fn is_timed(self) -> bool {
        !matches!(self, Self::Frontend | Self::Auth | Self::OrdersDb | Self::Mailer)
    }

    /// Whether its records carry a severity number.
    pub(crate) const fn has_severity(self) -> bool {
        matches!(self, Self::Checkout | Self::Orders)
    }

    /// The files its lines are read from, where they are.
    pub(crate) const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Frontend => &["/var/log/nginx/access.log", "/var/log/nginx/error.log", "/var/log/syslog"],
            Self::Auth => &["/var/log/auth.log"],
            Self::OrdersDb => &["/var/log/postgresql/postgresql-16-main.log"],
            Self::Mailer => &["/var/log/mail.log"],
            _ => &[],
        }
    }
}
