//! Commands and files over a link: the conversations themselves, without deadlines.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use ssh2::{ErrorCode, FileStat, OpenFlags, OpenType, Sftp};

use super::command::{Command, Output};
use super::error::SshError;
use super::link::Link;
use super::packed::{digest_of, is_part, sum};

/// How much libssh2 may keep in flight during an upload; it cuts this into packets itself.
const WINDOW: usize = 256 * 1024;
/// A file that is read into memory has to be small.
const LARGEST_READ: usize = 16 * 1024 * 1024;
/// Read and written by its owner, and by nobody else.
const OF_OWNER: u16 = 0o600;
/// SFTP's "no such file".
const NO_SUCH_FILE: i32 = 2;
/// libssh2's code for a request that the SFTP server turned down.
const SFTP_ANSWERED_NO: i32 = -31;
/// How libssh2 ends the listing of a folder.
const END_OF_FOLDER: i32 = -16;
/// Signals by the number shells add to 128.
const SIGNALS: [(&str, i32); 8] =
    [("HUP", 1), ("INT", 2), ("QUIT", 3), ("ABRT", 6), ("KILL", 9), ("SEGV", 11), ("PIPE", 13), ("TERM", 15)];

/// Runs one command line to its end.
pub(super) async fn run(link: &Link, text: &str, stdin: &[u8]) -> io::Result<Output> {
    let mut channel = link.again(|| link.session.channel_session()).await?;
    link.again(|| channel.exec(text)).await?;
    let (stdout, stderr) = converse(link, &mut channel, stdin).await?;
    ended(link, channel, stdout, stderr).await
}

/// Closes a channel whose other side has said everything.
async fn ended(
    link: &Link,
    mut channel: ssh2::Channel,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
) -> io::Result<Output> {
    close_channel(link, &mut channel).await?;
    let mut output = Output { status: channel.exit_status()?, stdout, stderr };
    if let Some((signal, status)) = signal_of(&channel)? {
        output.status = status;
        output.stderr.extend_from_slice(format!("ended by signal {signal}\n").as_bytes());
    }
    Ok(output)
}

/// Closes a channel whose other side has said everything; the status of what ran there.
pub(super) async fn close(link: &Link, mut channel: ssh2::Channel) -> io::Result<i32> {
    close_channel(link, &mut channel).await?;
    let signal = signal_of(&channel)?.map(|(_, status)| status);
    Ok(signal.unwrap_or(channel.exit_status()?))
}

async fn close_channel(link: &Link, channel: &mut ssh2::Channel) -> io::Result<()> {
    link.again(|| channel.close()).await?;
    link.again(|| channel.wait_close()).await?;
    Ok(())
}

/// The signal that ended what ran there, and the status that shells give for it.
fn signal_of(channel: &ssh2::Channel) -> io::Result<Option<(String, i32)>> {
    let signal = channel.exit_signal()?.exit_signal;
    Ok(signal.map(|signal| {
        let number = SIGNALS.iter().find(|(name, _)| *name == signal).map_or(0, |(_, number)| *number);
        (signal, 128 + number)
    }))
}

/// Starts a command that repeats its input and gives its channel once it has repeated a line; else how it ended. What
/// comes `before` is for whoever runs the command, and is not repeated.
pub(super) async fn hold(
    link: &Link,
    text: &str,
    before: &[u8],
) -> io::Result<Result<ssh2::Channel, Output>> {
    const LINE: &[u8] = b"held\n";
    let mut channel = link.again(|| link.session.channel_session()).await?;
    link.again(|| channel.exec(text)).await?;
    let input = [before, LINE].concat();
    let mut unsent = input.as_slice();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        let mut moved = false;
        if !unsent.is_empty() {
            // More is not asked for than the line: an end would end the command.
            moved = feed(&mut channel, &mut unsent, &mut false)?;
            if link.mid_write() && !moved {
                link.wait().await;
                continue;
            }
        }
        moved |= gather(&mut channel.stream(0), &mut stdout)?;
        moved |= gather(&mut channel.stderr(), &mut stderr)?;
        if stdout == LINE {
            return Ok(Ok(channel));
        }
        if channel.eof() {
            return ended(link, channel, stdout, stderr).await.map(Err);
        }
        if !moved {
            link.wait().await;
        }
    }
}

/// Ends the input of a command that is held, and waits for its end.
pub(super) async fn let_go(link: &Link, mut channel: ssh2::Channel) -> io::Result<()> {
    let (stdout, stderr) = converse(link, &mut channel, &[]).await?;
    ended(link, channel, stdout, stderr).await.map(drop)
}

/// Feeds the input and gathers the output, both at once, until the other side has said everything.
async fn converse(link: &Link, channel: &mut ssh2::Channel, stdin: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut input = stdin;
    let mut closed = false;
    loop {
        let mut moved = feed(channel, &mut input, &mut closed)?;
        if link.mid_write() && !closed && !moved {
            link.wait().await;
            continue;
        }
        moved |= gather(&mut channel.stream(0), &mut stdout)?;
        moved |= gather(&mut channel.stderr(), &mut stderr)?;
        if channel.eof() {
            return Ok((stdout, stderr));
        }
        if !moved {
            link.wait().await;
        }
    }
}

/// Sends a piece of the input, or its end. True when something went out.
fn feed(channel: &mut ssh2::Channel, input: &mut &[u8], closed: &mut bool) -> io::Result<bool> {
    if *closed {
        return Ok(false);
    }
    if input.is_empty() {
        return match channel.send_eof().map_err(io::Error::from) {
            Ok(()) => {
                *closed = true;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        };
    }
    match channel.write(input) {
        Ok(count) => {
            *input = &input[count..];
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        // A command may end without reading its input; what it wrote is what counts.
        Err(_) if channel.eof() => {
            *closed = true;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Takes what there is. True when there was something.
fn gather(stream: &mut ssh2::Stream, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(count) => {
            into.extend_from_slice(&buffer[..count]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// The session's SFTP channel, opened when first needed.
#[derive(Default)]
pub(super) struct Transfer {
    sftp: Option<Sftp>,
}

impl Transfer {
    async fn sftp(&mut self, link: &Link) -> Result<&Sftp, Fault> {
        let sftp = match self.sftp.take() {
            Some(sftp) => sftp,
            None => link.again(|| link.session.sftp()).await?,
        };
        Ok(self.sftp.insert(sftp))
    }

    /// Writes a new file under a temporary name; those of earlier uploads go. Until it is whole, its owner alone can
    /// read it.
    pub(super) async fn put(
        &mut self,
        link: &Link,
        path: &str,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), Fault> {
        let temporary = split(path).1;
        self.sweep(link, path, |name| is_sibling(name, temporary)).await?;
        self.write(link, path, 0, bytes).await?;
        if mode == u32::from(OF_OWNER) {
            return Ok(());
        }
        let sftp = self.sftp(link).await?;
        Ok(link.again(|| sftp.setstat(Path::new(path), with_mode(mode))).await?)
    }

    /// Writes behind the first bytes of a file; with none of them, a new one. Parts of other files go.
    pub(super) async fn append(
        &mut self,
        link: &Link,
        path: &str,
        behind: usize,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let own = split(path).1;
        self.sweep(link, path, |name| is_part(name) && name != own).await?;
        self.write(link, path, behind, bytes).await
    }

    async fn write(&mut self, link: &Link, path: &str, behind: usize, bytes: &[u8]) -> Result<(), Fault> {
        let sftp = self.sftp(link).await?;
        let is_new = if behind == 0 { OpenFlags::TRUNCATE } else { OpenFlags::empty() };
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | is_new;
        let open = || sftp.open_mode(Path::new(path), flags, i32::from(OF_OWNER), OpenType::File);
        let mut file = link.again(open).await?;
        file.seek(SeekFrom::Start(behind as u64)).map_err(|error| Fault::of(link, error))?;
        let mut sent = 0;
        while sent < bytes.len() {
            let end = bytes.len().min(sent + WINDOW);
            let written = link.again_io(|| file.write(&bytes[sent..end])).await;
            sent += written.map_err(|error| Fault::of(link, error))?;
        }
        Ok(link.again(|| file.close()).await?)
    }

    /// How long a file is; 0 where there is none.
    pub(super) async fn length(&mut self, link: &Link, path: &str) -> Result<usize, Fault> {
        let sftp = self.sftp(link).await?;
        match link.again(|| sftp.stat(Path::new(path))).await {
            Ok(stat) => Ok(stat.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(0)),
            Err(error) if error.code() == ErrorCode::SFTP(NO_SUCH_FILE) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what uploads left beside a file that were cut off: nobody else knows their names.
    async fn sweep(&mut self, link: &Link, path: &str, is_left: impl Fn(&str) -> bool) -> Result<(), Fault> {
        let folder = split(path).0;
        let sftp = self.sftp(link).await?;
        let Ok(mut listing) = link.again(|| sftp.opendir(Path::new(folder))).await else {
            // Writing the file will say what is wrong with its folder.
            return Ok(());
        };
        let mut left = Vec::new();
        loop {
            match link.again(|| listing.readdir()).await {
                Ok((name, _)) if is_left(&name.to_string_lossy()) => left.push(name),
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::Session(END_OF_FOLDER) => break,
                Err(error) => return Err(error.into()),
            }
        }
        link.again(|| listing.close()).await?;
        for name in left {
            let path = Path::new(folder).join(name);
            match link.again(|| sftp.unlink(&path)).await.map_err(Fault::from) {
                // Whatever keeps it there, it is in nobody's way.
                Ok(()) | Err(Fault::Refused(_)) => {}
                Err(lost) => return Err(lost),
            }
        }
        Ok(())
    }

    /// Where the user is at home, as SFTP begins there.
    pub(super) async fn home(&mut self, link: &Link) -> Result<String, Fault> {
        let sftp = self.sftp(link).await?;
        let path = link.again(|| sftp.realpath(Path::new("."))).await?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Reads a whole file; `None` when there is none.
    pub(super) async fn get(&mut self, link: &Link, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let sftp = self.sftp(link).await?;
        let mut file = match link.again(|| sftp.open(Path::new(path))).await {
            Ok(file) => file,
            Err(error) if error.code() == ErrorCode::SFTP(NO_SUCH_FILE) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut content = Vec::new();
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let count = link.again_io(|| file.read(&mut buffer)).await;
            match count.map_err(|error| Fault::of(link, error))? {
                0 => break,
                count => content.extend_from_slice(&buffer[..count]),
            }
            if content.len() > LARGEST_READ {
                return Err(Fault::Refused(io::Error::other("larger than 16 MiB")));
            }
        }
        link.again(|| file.close()).await?;
        Ok(Some(content))
    }
}

/// How a file transfer failed.
pub(super) enum Fault {
    /// The server said no; the session goes on.
    Refused(io::Error),
    /// The connection failed.
    Lost(io::Error),
}

impl Fault {
    /// Reading and writing give errors without libssh2's code; the session still has it.
    fn of(link: &Link, error: io::Error) -> Self {
        match ssh2::Error::last_session_error(&link.session).map(|last| last.code()) {
            Some(ErrorCode::Session(SFTP_ANSWERED_NO) | ErrorCode::SFTP(_)) => Self::Refused(error),
            Some(ErrorCode::Session(_)) | None => Self::Lost(error),
        }
    }
}

impl From<ssh2::Error> for Fault {
    fn from(error: ssh2::Error) -> Self {
        match error.code() {
            ErrorCode::SFTP(_) => Self::Refused(io::Error::other(error)),
            ErrorCode::Session(_) => Self::Lost(error.into()),
        }
    }
}

/// Folder and name of a file.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

/// Whether two names are temporary ones of the same file.
fn is_sibling(one: &str, other: &str) -> bool {
    target(one).is_some_and(|name| target(other) == Some(name))
}

/// What a temporary name is for: `redis.conf` of `.redis.conf.1f2e3d4c.new`.
fn target(temporary: &str) -> Option<&str> {
    let (name, digits) = temporary.strip_prefix('.')?.strip_suffix(".new")?.rsplit_once('.')?;
    (digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}

/// A file on its way: its names, its checksum, and the commands that put it in place.
pub(super) struct Parcel {
    pub(super) path: String,
    pub(super) temporary: String,
    /// Where it lands first, when who uploads may not write beside the target.
    landing: Option<String>,
    sha256: String,
    mode: u32,
}

impl Parcel {
    /// With a folder of the user's own where it lands first, if that is needed.
    pub(super) fn new(path: &str, bytes: &[u8], mode: u32, landing: Option<&str>) -> Self {
        // Beside the target, since a move is atomic within one file system only.
        let (folder, name) = split(path);
        let digits = format!("{:08x}", rand::random::<u32>());
        let temporary = format!("{folder}/.{name}.{digits}.new");
        // Named after the whole path, so that what is left of a cut-off upload is known as such there too.
        let flat = path.trim_start_matches('/').replace('/', "-");
        let landing = landing.map(|home| format!("{}/.{flat}.{digits}.new", home.trim_end_matches('/')));
        Self { path: path.to_owned(), temporary, landing, sha256: hex::encode(Sha256::digest(bytes)), mode }
    }

    /// Where the bytes are sent.
    pub(super) fn landing(&self) -> &str {
        self.landing.as_ref().unwrap_or(&self.temporary)
    }

    /// Its mode where it lands: in the folder of a user, nobody of the user's group shall see what is to be root's.
    pub(super) fn mode_of_landing(&self) -> u32 {
        if self.landing.is_some() { u32::from(OF_OWNER) } else { self.mode }
    }

    /// From where it landed to where it is moved into place from, and to root, before it is looked at.
    pub(super) fn bring_beside_target(&self) -> Vec<Command> {
        let Some(landing) = &self.landing else { return Vec::new() };
        let temporary = &self.temporary;
        vec![replace(landing, temporary), give_to_root(temporary), chmod(self.mode, temporary)]
    }

    /// An error about the temporary name, told about the real one.
    pub(super) fn rename(&self, error: SshError) -> SshError {
        about(&self.path, error)
    }

    pub(super) fn sum(&self) -> Command {
        sum(&self.temporary)
    }

    pub(super) fn compare(&self, host: &str, sum: &Output) -> Result<(), SshError> {
        compare((host, &self.path), &self.sha256, sum)
    }

    pub(super) fn put_in_place(&self) -> Command {
        replace(&self.temporary, &self.path)
    }

    pub(super) fn discard(&self) -> Command {
        Command::new("rm").arg("-f").arg(&self.temporary).args(&self.landing)
    }
}

/// An error about a temporary name, told about the real one.
pub(super) fn about(path: &str, error: SshError) -> SshError {
    let SshError::File { host, action, source, .. } = error else {
        return error;
    };
    SshError::File { host, path: path.to_owned(), action, source }
}

/// Compares the digest of what arrived for a path of a host with what was sent.
pub(super) fn compare((host, path): (&str, &str), sha256: &str, sum: &Output) -> Result<(), SshError> {
    let found = digest_of(sum);
    if found == sha256 {
        return Ok(());
    }
    let (host, path, expected) = (host.to_owned(), path.to_owned(), sha256.to_owned());
    Err(SshError::Damaged { host, path, expected, found })
}

pub(super) fn chmod(mode: u32, path: &str) -> Command {
    Command::new("chmod").arg(format!("{mode:04o}")).arg(path)
}

/// `mv -T`, since SFTP's rename does not replace on OpenSSH, and a directory must not swallow the file.
pub(super) fn replace(from: &str, to: &str) -> Command {
    Command::new("mv").arg("-fT").arg(from).arg(to)
}

/// Attributes of which the mode alone is set.
fn with_mode(mode: u32) -> FileStat {
    FileStat { size: None, uid: None, gid: None, perm: Some(mode), atime: None, mtime: None }
}

/// Gives a file to root.
pub(super) fn give_to_root(path: &str) -> Command {
    Command::new("chown").arg("root:root").arg(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_upload_is_known_by_its_name() {
        for (name, sibling) in [
            (".redis.conf.00000001.new", true),
            (".other.conf.00000001.new", false),
            (".redis.conf.new", false),
            (".redis.conf.1.new", false),
            ("redis.conf", false),
        ] {
            assert_eq!(is_sibling(name, ".redis.conf.1f2e3d4c.new"), sibling, "{name}");
        }
    }

    #[test]
    fn a_parcel_lands_beside_its_target() {
        let parcel = Parcel::new("/etc/albatross/redis.conf", b"abc", 0o640, None);
        let temporary = parcel.temporary.clone();
        assert_eq!((parcel.landing(), parcel.bring_beside_target()), (temporary.as_str(), Vec::new()));
        assert!(temporary.starts_with("/etc/albatross/.redis.conf."), "{temporary}");
        assert_eq!(parcel.mode_of_landing(), 0o640);
        assert_eq!(
            parcel.put_in_place().to_string(),
            format!("mv -fT {temporary} /etc/albatross/redis.conf")
        );
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let output = |text: String| Output { status: 0, stdout: text.into_bytes(), stderr: Vec::new() };
        assert!(parcel.compare("ecs01", &output(format!("{sum}  {temporary}\n"))).is_ok());
        assert!(parcel.compare("ecs01", &output(format!("\\{sum}  x"))).is_ok());
        let error = parcel.compare("ecs01", &output("0000  x".to_owned())).unwrap_err().to_string();
        assert!(error.starts_with("ecs01: /etc/albatross/redis.conf arrived damaged"), "{error}");
    }

    #[test]
    fn a_parcel_of_a_user_lands_at_home_and_becomes_roots() {
        let parcel = Parcel::new("/etc/albatross/redis.conf", b"abc", 0o640, Some("/home/deploy"));
        let (landing, temporary) = (parcel.landing().to_owned(), parcel.temporary.clone());
        assert!(landing.starts_with("/home/deploy/.etc-albatross-redis.conf."), "{landing}");
        assert!(is_sibling(".etc-albatross-redis.conf.00000001.new", split(&landing).1));
        let lines: Vec<String> = parcel.bring_beside_target().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                format!("mv -fT {landing} {temporary}"),
                format!("chown root:root {temporary}"),
                format!("chmod 0640 {temporary}")
            ]
        );
        assert_eq!(parcel.mode_of_landing(), 0o600);
        assert_eq!(parcel.discard().to_string(), format!("rm -f {temporary} {landing}"));
    }
}
