//! A cluster of brokers that belongs to one test, or to one process.

use std::{fs, net::SocketAddr, path::PathBuf, sync::OnceLock};

use crate::{
    Error, Listener, Options, Proxy,
    attendant::Attendant,
    io,
    node::Node,
    scripts::{self, script},
};

/// One or more brokers, up. Ended and removed when it is dropped, and when the process ends in whatever way.
#[derive(Debug)]
pub struct Kafka {
    // Dropped in this order: the brokers end before their attendant looks for what is left.
    nodes: Vec<Node>,
    listeners: Vec<(Listener, Option<Proxy>)>,
    _attendant: Attendant,
}

impl Kafka {
    /// Starts the brokers and returns once each of them answers and knows the others.
    ///
    /// # Errors
    /// Java, Maven or Maven Central is missing (the message names the Debian package), or a broker does not come up
    /// (the message holds the end of its log). A test has nothing better to do with it than to fail.
    pub fn start(options: Options) -> Result<Self, Error> {
        options.check()?;
        scripts::fetch_jars()?;
        let folder = tempfile::Builder::new()
            .prefix("foreshock-kafka-")
            .tempdir()
            .map_err(io("a folder for Kafka"))?;
        // From here on it is the attendant who removes it.
        let attendant = Attendant::over(folder.path())?;
        let folder = folder.keep();
        let nodes = (1..=options.brokers)
            .map(|number| {
                let folder = folder.join(format!("node-{number}"));
                fs::create_dir(&folder).map_err(io("a folder for a broker"))?;
                Node::reserve(number, folder, &options)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let listeners = options
            .listeners
            .iter()
            .enumerate()
            .map(|(nth, listener)| {
                let to: Vec<_> = nodes.iter().map(|node| node.listeners[nth].address()).collect();
                let proxy = listener.proxied.then(|| Proxy::to(&to)).transpose()?;
                Ok((listener.clone(), proxy))
            })
            .collect::<Result<_, Error>>()?;

        let mut kafka = Self { nodes, listeners, _attendant: attendant };
        for nth in 0..kafka.nodes.len() {
            kafka.write_settings(nth, &options)?;
        }
        for node in &mut kafka.nodes {
            node.start()?;
        }
        for node in &kafka.nodes {
            node.wait_until_it_knows(options.brokers)?;
        }
        Ok(kafka)
    }

    /// The one broker that all tests of this process share. Nobody can disturb it, and it ends with the process.
    ///
    /// # Panics
    /// When it does not come up: then no test that needs it may pass.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options::default()).unwrap_or_else(|error| panic!("{error}")))
    }

    /// `host:port`, comma-separated: the plain listener of every broker.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        joined(self.nodes.iter().map(Node::address))
    }

    /// The same of another listener: the proxy's addresses where it has one.
    ///
    /// # Panics
    /// When the options had no such listener.
    #[must_use]
    pub fn bootstrap_of(&self, listener: &str) -> String {
        let nth = self.nth(listener);
        match &self.listeners[nth].1 {
            Some(proxy) => joined(proxy.addresses().iter().copied()),
            None => joined(self.nodes.iter().map(|node| node.listeners[nth].address())),
        }
    }

    /// What stands between a proxied listener of all brokers and whoever connects by it.
    ///
    /// # Panics
    /// When the options had no such listener, or it is not proxied.
    #[must_use]
    pub fn proxy(&self, listener: &str) -> &Proxy {
        let proxy = &self.listeners[self.nth(listener)].1;
        proxy.as_ref().unwrap_or_else(|| panic!("the listener {listener} is not proxied"))
    }

    /// How many brokers there are. They are numbered from one on.
    #[must_use]
    pub fn brokers(&self) -> usize {
        self.nodes.len()
    }

    /// The address of the plain listener of one broker.
    ///
    /// # Panics
    /// Here and wherever a broker is named: when there is none of this number.
    #[must_use]
    pub fn address(&self, broker: usize) -> SocketAddr {
        self.nodes[self.nth_broker(broker)].address()
    }

    /// The log of one broker. It goes with the broker.
    #[must_use]
    pub fn log(&self, broker: usize) -> PathBuf {
        self.nodes[self.nth_broker(broker)].log()
    }

    /// SIGKILL; returns when it has ended.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn kill(&mut self, broker: usize) -> Result<(), Error> {
        self.node(broker).kill()
    }

    /// SIGTERM; returns when it has handed its partitions over and ended.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn shutdown(&mut self, broker: usize) -> Result<(), Error> {
        self.node(broker).shut_down()
    }

    /// SIGSTOP: it takes connections and answers nobody, until [`Self::resume`].
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn stop(&mut self, broker: usize) -> Result<(), Error> {
        self.node(broker).stop()
    }

    /// SIGCONT after [`Self::stop`].
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn resume(&mut self, broker: usize) -> Result<(), Error> {
        self.node(broker).resume()
    }

    /// Starts a broker again that was killed or shut down, at its ports and on its data, after it shut it down if it
    /// still runs. Returns when it answers and knows the others that run; at once while most brokers do not run, for
    /// without most of them none answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self, broker: usize) -> Result<(), Error> {
        let node = self.node(broker);
        node.shut_down()?;
        node.start()?;
        let running = self.nodes.iter().filter(|node| node.runs()).count();
        if 2 * running <= self.nodes.len() {
            return Ok(());
        }
        self.node(broker).wait_until_it_knows(running)
    }

    fn nth_broker(&self, broker: usize) -> usize {
        assert!(
            (1..=self.nodes.len()).contains(&broker),
            "there is no broker {broker} of {}",
            self.nodes.len()
        );
        broker - 1
    }

    fn node(&mut self, broker: usize) -> &mut Node {
        let nth = self.nth_broker(broker);
        &mut self.nodes[nth]
    }

    fn nth(&self, listener: &str) -> usize {
        let found = self.listeners.iter().position(|(known, _)| known.name == listener);
        found.unwrap_or_else(|| panic!("the options had no listener {listener}"))
    }

    /// What deploy/kafka/settings prints for a node, and the options' properties after it: the last one of a name wins.
    fn write_settings(&self, nth: usize, options: &Options) -> Result<(), Error> {
        let numbers = |port: fn(&Node) -> u16| {
            self.nodes.iter().map(|node| port(node).to_string()).collect::<Vec<_>>().join(" ")
        };
        let node = &self.nodes[nth];
        let listeners: Vec<_> = self
            .listeners
            .iter()
            .zip(&node.listeners)
            .map(|((listener, proxy), port)| {
                let advertised = proxy.as_ref().map_or(port.address(), |proxy| proxy.addresses()[nth]);
                format!("{}:{}:{}:{}", listener.name, listener.protocol, port.number(), advertised.port())
            })
            .collect();
        let mut settings = scripts::output(
            "settings",
            script("settings")
                .arg(node.number.to_string())
                .arg(&node.folder)
                .env("KAFKA_PORTS", numbers(|node| node.plain.number()))
                .env("KAFKA_CONTROLLER_PORTS", numbers(|node| node.controller.number()))
                .env("KAFKA_LISTENERS", listeners.join(" ")),
        )?;
        settings += &options.lines();
        fs::write(node.folder.join("server.properties"), settings).map_err(io("a broker's settings"))
    }
}

fn joined(addresses: impl Iterator<Item = SocketAddr>) -> String {
    addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(",")
}
