//! A TCP relay between two processes, whose connections can be cut or made mute.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Ends with its process; its threads end with their connections.
pub struct Relay {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    /// New connections are ended at once.
    is_closed: AtomicBool,
    pairs: Mutex<Vec<Pair>>,
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    is_mute: Arc<AtomicBool>,
}

impl Relay {
    pub fn start(target: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("just bound");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            is_closed: AtomicBool::new(false),
            pairs: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.accept(client);
            }
        });
        Relay { address, shared }
    }

    /// Ends every connection, and each new one until [`Relay::mend`].
    pub fn cut(&self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        for pair in self.shared.pairs.lock().expect("no panic holds it").drain(..) {
            pair.end();
        }
    }

    /// New connections go to this target.
    pub fn mend(&self, target: SocketAddr) {
        *self.shared.target.lock().expect("no panic holds it") = target;
        self.shared.is_closed.store(false, Ordering::SeqCst);
    }

    /// On the connections that are open nothing passes any more, and they stay open.
    pub fn mute(&self) {
        for pair in self.shared.pairs.lock().expect("no panic holds it").iter() {
            pair.is_mute.store(true, Ordering::SeqCst);
        }
    }

    pub fn connections(&self) -> usize {
        self.shared.pairs.lock().expect("no panic holds it").len()
    }
}

impl Shared {
    fn accept(&self, client: TcpStream) {
        let target = *self.target.lock().expect("no panic holds it");
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(target) else { return };
        let is_mute = Arc::new(AtomicBool::new(false));
        let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (from, to, is_mute) = (clone(from), clone(to), Arc::clone(&is_mute));
            thread::spawn(move || copy(from, to, &is_mute));
        }
        let mut pairs = self.pairs.lock().expect("no panic holds it");
        pairs.push(Pair { client, server, is_mute });
        // A cut meanwhile has not seen it.
        if self.is_closed.load(Ordering::SeqCst) {
            pairs.drain(..).for_each(|pair| pair.end());
        }
    }
}

impl Pair {
    fn end(&self) {
        // They may be gone already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_mute: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_secs(1))).expect("not zero");
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if is_mute.load(Ordering::SeqCst) => {}
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
