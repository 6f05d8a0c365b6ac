//! Shapes -> templates: words that vary become parameters.
//!
//! Every template is a pattern: tokens, some of which stand for anything. A shape is looked for among the patterns
//! by the sets of open positions in use at its length (tuple-space search, Srinivasan et al. 1999), so the cost of a
//! look-up does not grow with the number of templates. What matches nothing becomes a template of its own; when
//! enough templates differ in the same place only, they become one, which keeps the id of the oldest.
//!
//! The state is the list of templates; everything else is an index that follows from it.

mod evidence;
mod index;
mod pattern;
mod twins;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use evidence::Evidence;
use index::Index;
use pattern::{Pattern, Tokens};

/// Names a template for ever: it follows from the first shape the template was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TemplateId(pub u64);

impl TemplateId {
    /// What no template could be learned for, because the limit was reached.
    pub const OTHER: Self = Self(0);

    /// The id of the template that a shape, given as its canonical text, makes if it is the first of one. Parameters of
    /// all kinds are alike.
    pub fn of_shape(shape_text: &str) -> Self {
        let mut tokens = Tokens::default();
        tokens.read(shape_text);
        Self::of_tokens(&tokens)
    }

    fn of_tokens(tokens: &Tokens) -> Self {
        Self(xxh3_64(tokens.text().as_bytes()).max(1))
    }
}

/// What happened when a shape was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A template had it already.
    Known,
    /// It showed that a position varies: templates became one, with the id of the oldest.
    Generalised,
    /// A template that did not exist before.
    New,
    /// The limit of templates is reached and none has it.
    Other,
}

/// The answer to a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The template the shape now belongs to; [`TemplateId::OTHER`] past the limit.
    pub template: TemplateId,
    /// How it got there.
    pub outcome: Outcome,
}

/// Bounds of a miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinerLimits {
    /// Templates kept.
    pub templates: usize,
    /// Ids of templates that became part of another, kept to be resolved; the oldest go first.
    pub merged: usize,
}

impl Default for MinerLimits {
    fn default() -> Self {
        Self { templates: 4096, merged: 16_384 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Template {
    id: TemplateId,
    /// Order of birth.
    born: u64,
    pattern: Pattern,
}

/// Learns templates from shapes. The same shapes in the same order give the same state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Miner {
    limits: MinerLimits,
    births: u64,
    /// Places are reused; `None` is a free one.
    templates: Vec<Option<Template>>,
    free: Vec<u32>,
    merged: index::Merged,
    index: Index,
    evidence: Evidence,
    tokens: Tokens,
}

/// What of a miner is kept: templates in order of birth, and where merged ids went.
#[derive(Serialize, Deserialize)]
struct Saved {
    limits: MinerLimits,
    births: u64,
    templates: Vec<Template>,
    merged: Vec<(TemplateId, TemplateId)>,
}

impl Default for Miner {
    fn default() -> Self {
        Self::new(MinerLimits::default())
    }
}

impl PartialEq for Miner {
    /// By what is kept.
    fn eq(&self, other: &Self) -> bool {
        self.limits == other.limits
            && self.births == other.births
            && self.merged == other.merged
            && self.by_birth() == other.by_birth()
    }
}

impl Miner {
    /// A miner that has seen nothing.
    pub fn new(limits: MinerLimits) -> Self {
        Self {
            limits,
            births: 0,
            templates: Vec::new(),
            free: Vec::new(),
            merged: index::Merged::default(),
            index: Index::default(),
            evidence: Evidence::default(),
            tokens: Tokens::default(),
        }
    }

    /// Learns one shape, given as its canonical text.
    pub fn learn(&mut self, shape_text: &str) -> Learned {
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.read(shape_text);
        let learned = self.learn_tokens(&tokens);
        self.tokens = tokens;
        learned
    }

    fn learn_tokens(&mut self, tokens: &Tokens) -> Learned {
        if let Some(template) = self.find(tokens) {
            return Learned { template: template.id, outcome: Outcome::Known };
        }
        if self.len() >= self.limits.templates {
            return Learned { template: TemplateId::OTHER, outcome: Outcome::Other };
        }
        let id = TemplateId::of_tokens(tokens);
        // A shape that was a template's first and lives on in a wider one is found above; only an id that was
        // forgotten and comes back can stand in the way.
        self.merged.forget(id);
        let template = Template { id, born: self.births, pattern: Pattern::of(tokens) };
        self.births += 1;
        let place = self.insert(template);
        match self.generalise(place) {
            Some(template) => Learned { template, outcome: Outcome::Generalised },
            None => Learned { template: id, outcome: Outcome::New },
        }
    }

    /// The template a shape belongs to. Learns nothing.
    pub fn lookup(&self, shape_text: &str) -> Option<TemplateId> {
        let mut tokens = Tokens::default();
        tokens.read(shape_text);
        self.find(&tokens).map(|template| template.id)
    }

    /// The template that now stands for `id`: itself, or the one it became part of.
    pub fn resolve(&self, id: TemplateId) -> TemplateId {
        self.merged.resolve(id)
    }

    /// A template as people read it, variable parts as `<*>`; of a merged one, what it became part of.
    /// Empty for an id this miner does not know; `<*>` for [`TemplateId::OTHER`].
    pub fn render(&self, id: TemplateId) -> String {
        if id == TemplateId::OTHER {
            return "<*>".to_owned();
        }
        self.text_of(id).to_owned()
    }

    /// The same without a copy; empty also for [`TemplateId::OTHER`].
    pub fn text_of(&self, id: TemplateId) -> &str {
        let place = self.index.place_of(self.resolve(id));
        place.and_then(|place| self.at(place)).map_or("", |template| template.pattern.text())
    }

    /// How many templates there are.
    pub fn len(&self) -> usize {
        self.templates.len() - self.free.len()
    }

    /// Whether nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every template's id, oldest first.
    pub fn ids(&self) -> Vec<TemplateId> {
        self.by_birth().into_iter().map(|template| template.id).collect()
    }

    fn by_birth(&self) -> Vec<&Template> {
        let mut templates: Vec<_> = self.templates.iter().flatten().collect();
        templates.sort_unstable_by_key(|template| template.born);
        templates
    }

    fn at(&self, place: u32) -> Option<&Template> {
        self.templates.get(place as usize)?.as_ref()
    }

    fn find(&self, tokens: &Tokens) -> Option<&Template> {
        self.index
            .candidates(tokens)
            .filter_map(|place| self.at(place))
            .find(|template| template.pattern.matches(tokens))
    }

    fn insert(&mut self, template: Template) -> u32 {
        let place = self.free.pop().unwrap_or(self.templates.len() as u32);
        self.index.insert(place, template.id, &template.pattern);
        self.evidence.insert(place, &template.pattern);
        if place as usize == self.templates.len() {
            self.templates.push(Some(template));
        } else {
            self.templates[place as usize] = Some(template);
        }
        place
    }

    fn remove(&mut self, place: u32) -> Option<Template> {
        let template = self.templates.get_mut(place as usize)?.take()?;
        self.free.push(place);
        self.index.remove(place, template.id, &template.pattern);
        self.evidence.remove(place, &template.pattern);
        Some(template)
    }

    /// The templates that are to become one with that at `place`, which is among them.
    fn alike(&self, place: u32, pattern: &Pattern) -> Option<Vec<u32>> {
        let pattern_at = |place| self.at(place).map(|template| &template.pattern);
        if let Some(alike) = self.evidence.enough(pattern, pattern_at) {
            return Some(alike);
        }
        if self.index.count_of_length(pattern.len()) < twins::MEMBERS {
            return None;
        }
        let others = self.templates.iter().enumerate().filter_map(|(other, template)| {
            let template = template.as_ref()?;
            let is_other = other != place as usize && template.pattern.len() == pattern.len();
            is_other.then_some((other as u32, &template.pattern))
        });
        let mut alike = twins::enough(pattern, others)?;
        alike.push(place);
        Some(alike)
    }

    /// Makes one template of those that differ from the one at `place` in a position that varies, as long as there
    /// are such. Ends: each round opens a position. Tells the id of the survivor if there was a round.
    fn generalise(&mut self, mut place: u32) -> Option<TemplateId> {
        let mut survivor = None;
        while let Some(template) = self.at(place)
            && let Some(alike) = self.alike(place, &template.pattern)
        {
            let wider = alike
                .iter()
                .filter_map(|place| self.at(*place))
                .fold(template.pattern.clone(), |wider, member| wider.union(&member.pattern));
            if !self.index.has_room_for(&wider) {
                break;
            }
            let mut members: Vec<Template> =
                alike.into_iter().filter_map(|place| self.remove(place)).collect();
            members.sort_unstable_by_key(|template| template.born);
            let mut members = members.into_iter();
            let Some(mut oldest) = members.next() else { break };
            for member in members {
                oldest.pattern.open_where_it_differs(&member.pattern);
                self.merged.add(member.id, oldest.id, self.limits.merged);
            }
            // Others may lie within the wider pattern by now.
            for within in self.index.same(&oldest.pattern) {
                let Some(other) = self.remove(within) else { continue };
                let (kept, gone) = if other.born < oldest.born { (other, oldest) } else { (oldest, other) };
                self.merged.add(gone.id, kept.id, self.limits.merged);
                oldest = Template { pattern: gone.pattern.union(&kept.pattern), ..kept };
            }
            survivor = Some(oldest.id);
            place = self.insert(oldest);
        }
        survivor
    }
}

impl From<Saved> for Miner {
    fn from(saved: Saved) -> Self {
        let mut miner = Self::new(saved.limits);
        miner.births = saved.births;
        for (from, to) in saved.merged {
            miner.merged.add(from, to, saved.limits.merged);
        }
        for template in saved.templates {
            miner.insert(template);
        }
        miner
    }
}

impl From<Miner> for Saved {
    fn from(miner: Miner) -> Self {
        Self {
            limits: miner.limits,
            births: miner.births,
            templates: miner.by_birth().into_iter().cloned().collect(),
            merged: miner.merged.pairs(),
        }
    }
}

#[cfg(test)]
mod tests;
