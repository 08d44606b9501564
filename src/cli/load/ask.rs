//! What to dial, what each connection asks for there, and what to expect of the answer.

use super::args::{LoadArgs, LoadError};
use super::check::Terms;
use super::dialect::{Dialect, Form, NatsStream};
use super::interest::{Draw, Interest, OwnSymbols};
use super::symbols::SymbolTable;
use crate::market::{Channel, ChannelSet, Symbol};
use crate::wire::client::{Endpoint, Upgrade};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

/// What every connection of a run dials and asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub endpoint: Endpoint,
    pub dialect: Dialect,
    pub form: Form,
    pub draw: Option<Draw>,
}

/// What one connection is to say.
pub struct Request {
    pub upgrade: Upgrade,
    /// The symbols, where it drew its own.
    pub own: Option<OwnSymbols>,
    /// Where the subscriptions follow the upgrade.
    pub nats: Option<NatsStream>,
}

impl Ask {
    /// Flags first, then the URL's options, then defaults. The asked symbols get the lowest
    /// numbers of the table.
    pub fn new(args: &LoadArgs, table: &mut SymbolTable) -> Result<(Ask, Interest), LoadError> {
        let mut endpoint = Endpoint::parse(&args.url)?.without_tls()?;
        let flag_or_option = |flag: &Option<String>, name: &str| {
            flag.clone().or_else(|| endpoint.option(name).map(str::to_string))
        };
        let channels =
            flag_or_option(&args.channels, "channels").unwrap_or("quotes,trades".to_string());
        let channel_set = parse_channels(&channels)?;
        let symbols = flag_or_option(&args.symbols, "symbols");
        let encoding = flag_or_option(&args.encoding, "encoding").unwrap_or("json".to_string());
        let ts = flag_or_option(&args.ts, "ts").unwrap_or("ns".to_string());
        if args.dialect == Dialect::Tapecast {
            endpoint.set_option("channels", &channels);
            set_options(args, &ts, &encoding, &mut endpoint)?;
        } else {
            refuse_options(args)?;
        }
        let dialect = args.dialect;
        let form = match (dialect, encoding.as_str()) {
            (Dialect::Tapecast, "msgpack") => Form::MessagePack,
            (Dialect::Tapecast | Dialect::Arrays, _) => Form::Array,
            _ => Form::Object,
        };
        if let (Some(each), Some(of)) = (args.symbols_each, args.symbols_of) {
            let (each, of, seed) = (each as u32, of as u32, args.seed);
            let cohorts = args.cohorts.unwrap_or(u64::MAX);
            table.intern_numbered(of);
            let ask = Ask { endpoint, dialect, form, draw: Some(Draw { each, of, seed, cohorts }) };
            return Ok((ask, Interest::of(of, channel_set)));
        }
        let list = symbols.ok_or(LoadError::NoSymbols)?;
        let names = parse_symbols(&list)?;
        if names.is_none() && dialect != Dialect::Tapecast {
            return Err(LoadError::AllSymbols(dialect));
        }
        let interest = Interest::new(names.as_deref(), channel_set, table);
        dialect.name_symbols(&mut endpoint, list.split(','));
        Ok((Ask { endpoint, dialect, form, draw: None }, interest))
    }

    /// The rules that the streams are held to.
    pub fn terms(&self) -> Terms {
        match self.dialect {
            Dialect::Tapecast => Terms::Protocol,
            _ => Terms::Sequence,
        }
    }

    /// What the connection of this number asks for.
    pub fn request(&self, connection: usize, table: &SymbolTable) -> Request {
        let own = self.draw.map(|draw| draw.symbols(connection));
        let mut endpoint = Cow::Borrowed(&self.endpoint);
        let own_names = own.iter().flat_map(|own| own.numbers()).map(|n| table.name(*n));
        if own.is_some() {
            self.dialect.name_symbols(endpoint.to_mut(), own_names.clone());
        }
        let nats = (self.dialect == Dialect::Nats).then(|| match own {
            Some(_) => NatsStream::new(own_names),
            None => NatsStream::new((0..table.count()).map(|number| table.name(number))),
        });
        let mut nonce = [0; 16];
        fastrand::fill(&mut nonce);
        Request { upgrade: Upgrade::new(&endpoint, nonce), nats, own }
    }
}

impl Display for Ask {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.endpoint.fmt(f)?;
        match self.draw {
            None => Ok(()),
            Some(Draw { each, of, seed, cohorts }) => {
                write!(f, ", each with {each} of {of} symbols (seed {seed}")?;
                if cohorts < u64::MAX {
                    write!(f, ", {cohorts} cohorts")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Dialect {
    /// Puts the symbols where the server looks for them.
    fn name_symbols<'a>(self, endpoint: &mut Endpoint, names: impl Iterator<Item = &'a str>) {
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        match self {
            Dialect::Tapecast | Dialect::Messages | Dialect::Arrays => {
                endpoint.set_option("symbols", &names.join(","));
            }
            // They are named in the stream itself.
            Dialect::Nats => drop(endpoint.take_option("symbols")),
            Dialect::Nchan => {
                endpoint.take_option("symbols");
                names.iter().for_each(|name| endpoint.push_segment(name));
            }
        }
    }
}

fn set_options(
    args: &LoadArgs,
    ts: &str,
    encoding: &str,
    endpoint: &mut Endpoint,
) -> Result<(), LoadError> {
    match encoding {
        "json" => {}
        "msgpack" => endpoint.set_option("encoding", encoding),
        _ => return Err(LoadError::Encoding(encoding.to_string())),
    }
    if !["ns", "rfc3339"].contains(&ts) {
        return Err(LoadError::Ts(ts.to_string()));
    }
    endpoint.set_option("ts", ts);
    if let Some(max_hz) = args.max_hz {
        endpoint.set_option("max_hz", &max_hz.to_string());
    }
    if let Some(heartbeat_ms) = args.heartbeat_ms {
        endpoint.set_option("heartbeat_ms", &heartbeat_ms.to_string());
    }
    Ok(())
}

fn refuse_options(args: &LoadArgs) -> Result<(), LoadError> {
    let given = [
        ("encoding", args.encoding.is_some()),
        ("max-hz", args.max_hz.is_some()),
        ("ts", args.ts.is_some()),
        ("heartbeat-ms", args.heartbeat_ms.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(LoadError::Dialect { flag, dialect: args.dialect }),
        None => Ok(()),
    }
}

/// `None` is all of them.
fn parse_symbols(list: &str) -> Result<Option<Vec<String>>, LoadError> {
    let names: Vec<String> =
        list.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect();
    if names.is_empty() {
        return Err(LoadError::NoSymbols);
    }
    if names.iter().any(|name| name == "*") {
        return Ok(None);
    }
    for name in &names {
        Symbol::parse(name).map_err(|error| LoadError::Symbol(name.clone(), error))?;
    }
    Ok(Some(names))
}

fn parse_channels(list: &str) -> Result<ChannelSet, LoadError> {
    list.split(',').try_fold(ChannelSet::NONE, |set, name| {
        let channel = Channel::from_name(name);
        let channel = channel.ok_or_else(|| LoadError::Channel(name.to_string()))?;
        Ok(set.with(ChannelSet::of(channel)))
    })
}
