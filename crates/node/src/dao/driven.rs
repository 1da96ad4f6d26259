//! The member, and what it asks for.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use domain::{
    PeerId, Record, SlotId,
    bitcoin::{FeeRate, Transaction, TxOut},
    kinds::{Ballot, Charter, DaoId, Note, ProposalId, id},
};
use store::DaoIncidentRow;
use tokio::sync::mpsc;
use treasury::{
    dao::{
        Confirmed, TurnId,
        member::{self, Block, ChangeSet, Command, Config, Entropy, Fetch, Input, Member, Output},
    },
    paying::{DaoPayee, DaoPays, id_of},
    wallet::SealingKey,
};
use zeroize::Zeroizing;

use super::{
    join,
    records::{self, Of},
    running::{Work, elapsed},
    sight::{Look, Sight},
};
use crate::{
    api::{ApiError, Event, Fee},
    node::{Inner, random_bytes, unix_ms},
};

/// What a node pays when it builds, before it knows what is usual.
const RATE: FeeRate = FeeRate::from_sat_per_vb_u32(2);
/// Most that a node signs, in multiples of what is usual.
const HIGHEST: u64 = 10;
/// The least of that, in satoshis per virtual byte.
const LEAST_HIGHEST: FeeRate = FeeRate::from_sat_per_vb_u32(50);

/// Wrongs that are noted in one run, each of somebody once.
const MAX_NOTED: usize = 1_000;
/// How often it is asked what a transaction costs, in milliseconds.
const RATED: u64 = 10 * 60 * 1_000;

/// What the owner's wallet is asked to sign.
struct Unsigned {
    turn: TurnId,
    transaction: Box<Transaction>,
    spent: Vec<TxOut>,
    inputs: Vec<usize>,
}

/// A member with all that it needs.
pub(super) struct Driven {
    pub(super) dao: DaoId,
    me: PeerId,
    pub(super) member: Member,
    pub(super) sight: Sight,
    work: mpsc::Sender<Work>,
    timer: Option<u64>,
    /// Whether the member was handed randomness, which every start of one has of its own.
    is_seeded: bool,
    /// What encrypts its secrets, as long as the member has its key.
    sealing: Option<SealingKey>,
    is_broken: bool,
    /// What waits for the wallet to be unlocked.
    unsigned: Vec<Unsigned>,
    /// What was noted in this run, each once.
    noted: BTreeSet<(Option<PeerId>, String)>,
    /// Who signed two differing votes on what.
    pub(super) voted_twice: BTreeSet<(ProposalId, PeerId)>,
    /// When what a transaction costs was last asked for.
    rated: Option<u64>,
    /// Artists' records that proposals name.
    wanted: BTreeSet<SlotId>,
    /// Whether what artists pay back may have changed.
    pub(super) paybacks_changed: bool,
    /// Why figures are not of now.
    pub(super) waiting: Option<String>,
}

impl Driven {
    /// Restores the member from the disk.
    ///
    /// # Errors
    /// Those of the database, and a charter that cannot be kept.
    pub(super) async fn load(
        node: &Arc<Inner>,
        dao: DaoId,
        creator: PeerId,
        charter: &Charter,
        work: mpsc::Sender<Work>,
    ) -> Result<Self, ApiError> {
        let stored = node.store.dao_changes(&dao).await?;
        let stored = stored.iter().map(|bytes| ChangeSet::decode(bytes));
        let stored = stored.collect::<Result<Vec<_>, _>>().map_err(coded)?;
        let (rate, highest_rate) = (RATE, LEAST_HIGHEST);
        let me = node.identity.id();
        let config = Config { me, dao, creator, charter: charter.clone(), rate, highest_rate };
        let member = Member::new(config, stored, elapsed(node))
            .map_err(|error| ApiError::new(error.code(), error.to_string()))?;
        let sight = Sight::load(node, &dao).await?;
        Ok(Self {
            dao,
            me,
            member,
            sight,
            work,
            timer: Some(elapsed(node)),
            is_seeded: false,
            sealing: None,
            is_broken: false,
            unsigned: Vec::new(),
            noted: BTreeSet::new(),
            voted_twice: BTreeSet::new(),
            rated: None,
            wanted: BTreeSet::new(),
            paybacks_changed: true,
            waiting: None,
        })
    }

    /// Says where the DAO is paid, and since which height; `None` before its founding is known.
    pub(super) fn payee(&self) -> Option<(DaoPayee, u32)> {
        let from = self.member.history().first()?.block.height;
        let state = self.member.state();
        let scripts = state.epochs.iter().map(|epoch| epoch.script()).collect();
        let owners = state.notes.keys().map(|note| (*note, state.payees(note))).collect();
        Some((DaoPayee { scripts, owners, pays: self.pays() }, from))
    }

    /// Where artists pay now: to the coin that is unspent, or to the owners of the notes once it is gone or has been silent
    /// for half the time that the refund waits.
    fn pays(&self) -> DaoPays {
        let (member, state) = (&self.member, self.member.state());
        let Some(coin) = state.coin.filter(|_| member.refunded().is_none()) else { return DaoPays::Owners };
        let confirmed = member.evidence().coins.get(&coin.outpoint);
        match (confirmed, member.tip()) {
            // A turn that has not arrived spends it.
            _ if member.is_spent_in_block(&coin.outpoint) => DaoPays::Nobody,
            (Some(coin), Some(tip)) => {
                let silent = tip.height.saturating_sub(coin.height);
                match silent >= u32::from(state.charter.recovery).div_ceil(2) {
                    true => DaoPays::Owners,
                    false => DaoPays::Coin,
                }
            }
            _ => DaoPays::Nobody,
        }
    }

    /// Who the owner is.
    pub(super) fn member_id(&self) -> PeerId {
        self.me
    }

    /// Says whether the owner's signatures for a wish to join were given, and the transaction may still be sent.
    pub(super) fn is_signed_for(&self, join: &SlotId) -> bool {
        let open = self.member.attempts();
        let has_it =
            |turn: &TurnId| self.member.step(turn).is_some_and(|(turn, _)| turn.joins.contains(join));
        open.iter().any(|attempt| attempt.is_safe && has_it(&attempt.turn))
    }

    pub(super) fn timer(&self) -> Option<u64> {
        self.timer
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Tells the member something, and does what it asks for, in its order.
    ///
    /// # Errors
    /// Where the disk did not take a change: nothing that comes after it was done, and the member is to be restored.
    pub(super) async fn handle(&mut self, node: &Arc<Inner>, input: Input) -> Result<(), ApiError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if self.is_broken {
                return Ok(());
            }
            if matches!(input, Input::Timer) {
                self.timer = None;
            }
            for output in self.member.handle(input, elapsed(node)) {
                self.carry_out(node, output, &mut inputs).await?;
            }
        }
        Ok(())
    }

    async fn carry_out(
        &mut self,
        node: &Arc<Inner>,
        output: Output,
        inputs: &mut VecDeque<Input>,
    ) -> Result<(), ApiError> {
        match output {
            Output::Persist(change) => self.persist(node, &change).await?,
            Output::Send { to, bytes } => node.dao.outbox.send(node, to, &self.dao, &bytes),
            Output::Spread(bytes) => {
                for to in self.member.peers() {
                    node.dao.outbox.send(node, to, &self.dao, &bytes);
                }
            }
            Output::Watch { outpoint, script, from } => {
                if !self.member.is_spent_for_good(&outpoint) {
                    inputs.extend(self.sight.watch(outpoint, script, from));
                }
            }
            Output::Fetch(fetch) => self.fetch(node, fetch),
            Output::Sign { turn, transaction, spent, inputs: which } => {
                let unsigned = Unsigned { turn, transaction, spent, inputs: which };
                inputs.extend(self.sign(node, unsigned).await);
            }
            Output::SignNotes(notes) => inputs.extend(self.sign_notes(node, notes).await),
            Output::Vote { proposal, choice } => {
                let ballot = Ballot { network: node.money.network(), proposal, choice };
                match records::publish(node, ballot).await {
                    Ok(record) => inputs.push_back(Input::Record(Box::new(record))),
                    Err(error) => super::warn(node, error),
                }
            }
            Output::Broadcast(transaction) => broadcast(node, transaction),
            Output::SetTimer(at) => self.timer = Some(at),
            Output::Event(event) => self.event(node, event).await,
        }
        Ok(())
    }

    async fn persist(&mut self, node: &Inner, change: &ChangeSet) -> Result<(), ApiError> {
        pass(change, false);
        if let Err(error) = self.keep(node, change).await {
            self.is_broken = true;
            return Err(error);
        }
        pass(change, true);
        Ok(())
    }

    /// Writes a change, encrypted where it is secret. Such a one comes only of a member that has its key, and then there is
    /// the key to encrypt it, too, even if the wallet was locked meanwhile. Nothing is lost where it is not written: the
    /// member is restored as it was, and whatever the change was of is begun anew.
    async fn keep(&self, node: &Inner, change: &ChangeSet) -> Result<(), ApiError> {
        let body = Zeroizing::new(change.encode());
        if !change.is_secret() {
            return Ok(node.store.append_dao(&self.dao, &body).await?);
        }
        let locked = || ApiError::new("wallet_locked", "the wallet is locked: no secret of a DAO is written");
        let sealed = self.sealing.as_ref().ok_or_else(locked)?.seal(&body, &random_bytes()?);
        Ok(node.store.append_dao_secret(&self.dao, &sealed).await?)
    }

    /// Looks something up on the chain in the background.
    fn fetch(&self, node: &Arc<Inner>, fetch: Fetch) {
        let (node, work) = (node.clone(), self.work.clone());
        let tasks = node.tasks.clone();
        tasks.spawn(async move {
            let fetched = node.ending.run_until_cancelled(fetched(&node, fetch)).await;
            match fetched {
                Some(Ok(Some(input))) => drop(work.send(Work::Input(Box::new(input))).await),
                Some(Err(error)) => {
                    tracing::debug!(code = error.code, message = error.message, "not looked up");
                }
                _ => {}
            }
        });
    }

    /// Has the owner's wallet sign its inputs, or keeps that for when it is unlocked.
    async fn sign(&mut self, node: &Arc<Inner>, unsigned: Unsigned) -> Option<Input> {
        let Unsigned { turn, transaction, spent, inputs } = &unsigned;
        match join::sign(node, self, transaction, spent, inputs).await {
            Ok(witnesses) => Some(Input::Signed { turn: *turn, witnesses }),
            Err(error) => {
                if error.code == "wallet_locked" {
                    self.unsigned.push(unsigned);
                }
                super::warn(node, error);
                None
            }
        }
    }

    async fn sign_notes(&mut self, node: &Arc<Inner>, notes: Vec<Note>) -> Vec<Input> {
        let mut signed = Vec::new();
        for note in notes {
            let slot = id_of(&node.identity.id(), &note);
            if let Err(error) = crate::money::publish_note(node, note).await {
                super::warn(node, error);
            } else if let Ok(Some(record)) = node.store.record(&slot).await {
                signed.push(Input::Record(Box::new(record)));
            }
        }
        signed
    }

    async fn event(&mut self, node: &Arc<Inner>, event: member::Event) {
        use member::Event as E;
        tracing::debug!(dao = %self.dao, ?event, "a DAO goes on");
        if let E::VotedTwice { member, proposal } = &event {
            self.voted_twice.insert((*proposal, *member));
        }
        let incident = match &event {
            E::Refused { culprit, code, .. } => Some((*culprit, (*code).to_owned())),
            E::JoinerFailed { joiner, .. } => Some((Some(*joiner), "dao_joiner_failed".to_owned())),
            E::Blamed { peer, code } => Some((Some(*peer), (*code).to_owned())),
            E::VotedTwice { member, .. } => Some((Some(*member), "dao_voted_twice".to_owned())),
            _ => None,
        };
        if let Some((peer, code)) = incident
            && self.noted.len() < MAX_NOTED
            && self.noted.insert((peer, code.clone()))
        {
            let row = DaoIncidentRow { peer, code, at_ms: unix_ms() };
            if let Err(error) = node.store.note_dao_incident(&self.dao, &row).await {
                tracing::warn!(%error, "an incident is not kept");
            }
        }
        if matches!(event, E::Done { .. } | E::Undone(_) | E::Refunded(_)) {
            join::settle(node, self).await;
        }
        node.hub.tell(&Event::DaoChanged { dao_id: self.dao });
    }

    /// Hands in every record that is stored.
    pub(super) async fn records(&mut self, node: &Arc<Inner>) -> Result<(), ApiError> {
        for record in node.store.dao_records(&self.dao).await? {
            self.take_record(node, &record).await?;
        }
        Ok(())
    }

    /// Hands in a record, where it is of this DAO.
    pub(super) async fn record(&mut self, node: &Arc<Inner>, record: &Record) -> Result<(), ApiError> {
        let is_proposal = record.kind == id::PROPOSAL;
        let is_new = is_proposal && !self.member.evidence().proposals.contains_key(&record.slot);
        self.take_record(node, record).await?;
        // Votes on it may have come before.
        if is_new && self.member.evidence().proposals.contains_key(&record.slot) {
            self.records(node).await?;
        }
        Ok(())
    }

    async fn take_record(&mut self, node: &Arc<Inner>, record: &Record) -> Result<(), ApiError> {
        let is_its = match records::of(record) {
            Of::Dao(dao) => dao == self.dao,
            Of::Proposal(proposal) => self.member.evidence().proposals.contains_key(&proposal),
            Of::Other => self.wanted.contains(&record.slot),
        };
        self.paybacks_changed |= record.kind == id::PAYOUT;
        if !is_its {
            return Ok(());
        }
        if let Some(named) = records::invests(record) {
            self.wanted.extend(named);
            for named in node.store.records_in(&named).await? {
                self.handle(node, Input::Record(Box::new(named))).await?;
            }
            let notes = node.store.money_records_about(&named[0], id::NOTE, store::MAX_LIMIT).await?;
            for note in notes {
                if matches!(records::of(&note), Of::Dao(dao) if dao == self.dao) {
                    self.handle(node, Input::Record(Box::new(note))).await?;
                }
            }
        }
        self.handle(node, Input::Record(Box::new(record.clone()))).await?;
        node.hub.tell(&Event::DaoChanged { dao_id: self.dao });
        Ok(())
    }

    /// Takes what the Bitcoin client with this number tells.
    pub(super) async fn hear(
        &mut self,
        node: &Arc<Inner>,
        client: u64,
        events: &[chain::Event],
    ) -> Result<(), ApiError> {
        for event in events {
            let inputs = self.sight.hear(client, event);
            let moved = matches!(event, chain::Event::Connected(_)) && !inputs.is_empty();
            for input in inputs {
                self.handle(node, input).await?;
            }
            if moved {
                self.tell_seen(node).await?;
            }
        }
        Ok(())
    }

    /// Takes what a look through blocks brought.
    pub(super) async fn looked(
        &mut self,
        node: &Arc<Inner>,
        look: Result<Look, ApiError>,
    ) -> Result<(), ApiError> {
        match self.sight.looked(look) {
            Ok(inputs) => {
                self.waiting = None;
                for input in inputs {
                    self.handle(node, input).await?;
                }
                self.tell_seen(node).await
            }
            Err(error) => {
                self.waiting = Some(error.message);
                Ok(())
            }
        }
    }

    /// Tells what came in, then the last block, as far as all was seen.
    async fn tell_seen(&mut self, node: &Arc<Inner>) -> Result<(), ApiError> {
        self.paybacks_changed = true;
        let Some(tip) = self.sight.tip() else { return Ok(()) };
        self.sight.keep(node, &self.dao, &self.member).await;
        self.handle(node, Input::Tip(tip)).await?;
        node.hub.tell(&Event::DaoChanged { dao_id: self.dao });
        Ok(())
    }

    /// Does what is due whatever happened.
    pub(super) async fn settle(&mut self, node: &Arc<Inner>) -> Result<(), ApiError> {
        self.follow_lock(node).await?;
        if std::mem::take(&mut self.paybacks_changed) {
            for input in super::payback::income(node, self).await? {
                self.handle(node, input).await?;
            }
        }
        self.sight.follow(&self.member);
        match node.money.link() {
            Some(chain) => {
                self.ask_rate(node);
                self.sight.look(node, chain, &self.work);
            }
            None => {
                if let Err(error) = super::chain(node).await {
                    self.waiting = Some(error.message);
                }
            }
        }
        Ok(())
    }

    /// Hands a member that has just begun fresh randomness, of which it makes nonces: never twice the same, and kept nowhere.
    /// It comes before all else, since a member without any signs by the leaf.
    pub(super) async fn seed(&mut self, node: &Arc<Inner>) -> Result<(), ApiError> {
        if self.is_seeded {
            return Ok(());
        }
        let bytes = Zeroizing::new(random_bytes()?);
        self.is_seeded = true;
        self.handle(node, Input::Entropy(Entropy::new(*bytes))).await
    }

    /// Lends the member its key while the wallet is unlocked, and before that what is kept encrypted.
    async fn follow_lock(&mut self, node: &Arc<Inner>) -> Result<(), ApiError> {
        match (node.money.is_unlocked(), self.sealing.is_some()) {
            (true, false) => {
                let Some((key, sealing)) = node.money.member_keys(&self.dao) else { return Ok(()) };
                self.unseal(node, &sealing).await?;
                self.sealing = Some(sealing);
                self.handle(node, Input::Command(Command::Unlock(Box::new(key)))).await?;
                for unsigned in std::mem::take(&mut self.unsigned) {
                    if let Some(input) = self.sign(node, unsigned).await {
                        self.handle(node, input).await?;
                    }
                }
                Ok(())
            }
            (false, true) => {
                let locked = self.handle(node, Input::Command(Command::Lock)).await;
                self.sealing = None;
                locked
            }
            _ => Ok(()),
        }
    }

    /// Hands in what is kept encrypted. What cannot be read keeps nobody from signing by the leaf.
    async fn unseal(&mut self, node: &Arc<Inner>, sealing: &SealingKey) -> Result<(), ApiError> {
        for sealed in node.store.dao_secrets(&self.dao).await? {
            let opened = sealing.open(&sealed).map_err(ApiError::from);
            match opened.and_then(|body| ChangeSet::decode(&body).map_err(coded)) {
                Ok(set) => self.handle(node, Input::Stored(set)).await?,
                Err(error) => super::warn(node, error),
            }
        }
        Ok(())
    }

    /// Asks every now and then what a transaction costs.
    fn ask_rate(&mut self, node: &Arc<Inner>) {
        let now = elapsed(node);
        if self.member.tip().is_none() || self.rated.is_some_and(|at| now < at.saturating_add(RATED)) {
            return;
        }
        self.rated = Some(now);
        let (node, work) = (node.clone(), self.work.clone());
        node.tasks.clone().spawn(async move {
            let asking = node.money.usual_rate(&node, Fee::Normal);
            if let Some(Ok(rate)) = node.ending.run_until_cancelled(asking).await {
                let _ = work.send(Work::Rate(rate)).await;
            }
        });
    }

    /// Follows what a transaction costs now.
    pub(super) fn set_rate(&mut self, rate: FeeRate) {
        let highest = FeeRate::from_sat_per_kwu(rate.to_sat_per_kwu().saturating_mul(HIGHEST));
        self.member.set_rates(rate, highest.max(LEAST_HIGHEST));
    }
}

/// Places at which a test lets the process die, each before and after a change is written.
fn pass(change: &ChangeSet, is_written: bool) {
    let pass = |has_it: bool, [before, after]: [&str; 2]| {
        if has_it {
            crate::money::fault_point(if is_written { after } else { before });
        }
    };
    pass(true, ["dao_persist", "dao_persisted"]);
    pass(change.refunds().next().is_some(), ["dao_refund", "dao_refund_kept"]);
    pass(change.released().next().is_some(), ["dao_releasing", "dao_released"]);
    pass(change.committed().next().is_some(), ["dao_committing", "dao_committed"]);
    pass(change.is_secret(), ["dao_secret", "dao_secret_kept"]);
}

async fn fetched(node: &Arc<Inner>, fetch: Fetch) -> Result<Option<Input>, ApiError> {
    let chain = super::chain(node).await?;
    match fetch {
        Fetch::Block(height) => {
            chain.reach(height.saturating_sub(1)).await?;
            let id = chain.block_id(height);
            Ok(id.map(|id| Input::Block(Block { height: id.height, hash: id.hash })))
        }
        Fetch::Coin { outpoint, block } => {
            let found = chain.block(block).await?;
            let Some(height) = chain.height_of(&block) else { return Ok(None) };
            let transaction = found.txdata.iter().find(|it| it.compute_txid() == outpoint.txid);
            let vout = usize::try_from(outpoint.vout).unwrap_or(usize::MAX);
            let output = transaction.and_then(|it| it.output.get(vout)).cloned();
            Ok(output.map(|output| Input::Coin { outpoint, coin: Confirmed { output, height, block } }))
        }
    }
}

/// Sends a transaction to the chain in the background; the member does it again until it is in a block.
fn broadcast(node: &Arc<Inner>, transaction: Transaction) {
    let node = node.clone();
    node.tasks.clone().spawn(async move {
        let sending = async {
            let chain = super::chain(&node).await?;
            chain.broadcast(&transaction).await.map_err(ApiError::from)
        };
        if let Some(Err(error)) = node.ending.run_until_cancelled(sending).await {
            tracing::debug!(code = error.code, message = error.message, "a transaction is not sent yet");
        }
    });
}

fn coded(error: member::ChangeSetError) -> ApiError {
    ApiError::new(error.code(), error.to_string())
}
