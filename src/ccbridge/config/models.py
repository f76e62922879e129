"""The keys of ``ccbridge.yml``. ``docs/configuration.md`` explains them; a test holds the two together.

Values are checked one by one here, references included; ``checks`` looks at what several keys say together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import SecretStr

from ccbridge.codes import DEFAULTS
from ccbridge.config.flow_models import FlowSection, IvrSection, Variable
from ccbridge.config.hours import HoursSection, Zone
from ccbridge.config.lookups import LookupSection
from ccbridge.config.prompts import Language, SpeechSection, Texts
from ccbridge.config.section import Section
from ccbridge.config.shapes import (
    E164,
    UNIQUE,
    Account,
    AgentNumber,
    Between,
    Context,
    Count,
    Country,
    DepartmentRef,
    Device,
    Did,
    Extension,
    FeatureCode,
    FlowRef,
    Host,
    Key,
    Level,
    MaybePrompts,
    Message,
    Name,
    Number,
    OutcomeKey,
    Prefix,
    Priority,
    QueueRef,
    SitePath,
    Sound,
    TagKey,
    Title,
    TrunkDial,
    Whole,
    YesNo,
)

Outcome = Literal["resolved", "closed", "follow_up", "open"]
NO_SECRET = SecretStr("")


class AsteriskSection(Section):
    host: Host = "127.0.0.1"
    port: Annotated[Whole, Between(1, 65535)] = 5038
    user: Account = "ccbridge"
    secret: SecretStr = NO_SECRET
    secret_file: SitePath | None = None
    recorder_user: Account = "ccbridge-rec"
    recorder_secret: SecretStr = NO_SECRET
    recorder_secret_file: SitePath | None = None
    system: Account = "pbx"
    exit_context: Context = "ccbridge-internal"


class AgiSection(Section):
    host: Host = "127.0.0.1"
    port: Annotated[Whole, Between(0, 65535)] = 4573
    sessions: Annotated[Whole, Between(1, 10_000)] = 500


class DatabaseSection(Section):
    url: SecretStr = NO_SECRET
    url_file: SitePath | None = None
    admin_url: SecretStr = NO_SECRET
    admin_url_file: SitePath | None = None
    lookup_timeout: Annotated[Number, Between(0.05, 5, "seconds")] = 0.3


class JournalSection(Section):
    directory: SitePath = Path("/var/lib/ccbridge/journal")
    segment_bytes: Annotated[Whole, Between(65_536, 1_073_741_824, "bytes")] = 16_777_216
    keep_days: Annotated[Whole, Between(1, 365, "days")] = 7
    input_days: Annotated[Whole, Between(0, 365, "days")] = 3
    input_bytes: Annotated[Whole, Between(1_048_576, 1_099_511_627_776, "bytes")] = 536_870_912


class RecordingSection(Section):
    enabled: YesNo = True
    directory: SitePath = Path("/var/spool/ccbridge/recordings")


class CatchUpSection(Section):
    cdr_file: SitePath = Path("/var/log/asterisk/cdr-custom/ccbridge.csv")
    cel_file: SitePath = Path("/var/log/asterisk/cel-custom/ccbridge.csv")
    keep_days: Annotated[Whole, Between(2, 365, "days")] = 14


class ControlSection(Section):
    socket: SitePath = Path("/run/ccbridge/control.sock")


class MetricsSection(Section):
    host: Host = "127.0.0.1"
    port: Annotated[Whole, Between(0, 65535)] = 0


class LogSection(Section):
    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class CallersSection(Section):
    country: Country
    zone: Zone | None = None
    vip_priority: Annotated[Whole, Between(0, 100)] = 20
    blocked: MaybePrompts = ()


class RoutingSection(Section):
    unreachable_backoff: Annotated[
        tuple[Annotated[Number, Between(1, 3600, "seconds")], ...], Count(1, 10)
    ] = (5.0, 15.0, 60.0)
    miss_cooldown: Annotated[Number, Between(0, 3600, "seconds")] = 10.0
    refuse_cooldown: Annotated[Number, Between(0, 3600, "seconds")] = 10.0
    misses: Annotated[Whole, Between(0, 20)] = 0
    misses_within: Annotated[Number, Between(60, 86_400, "seconds")] = 600.0
    misses_reason: Name = "missed"
    misses_lift: Annotated[Number, Between(0, 86_400, "seconds")] = 0.0
    reach_timeout: Annotated[Number, Between(2, 30, "seconds")] = 6.0
    ageing: Annotated[Number, Between(0, 86_400, "seconds")] = 0.0
    last_agent_days: Annotated[Whole, Between(1, 365, "days")] = 30
    recording_pause: Annotated[Number, Between(5, 900, "seconds")] = 60.0
    # Less than 10 s would be shorter than two heartbeats and one look of the hold loop.
    fallback_after: Annotated[Number, Between(10, 600, "seconds")] = 30.0


class CodesSection(Section):
    """One key for each row of ``codes.TABLE``."""

    log_in: FeatureCode = DEFAULTS["log_in"]
    log_out: FeatureCode = DEFAULTS["log_out"]
    pause: FeatureCode = DEFAULTS["pause"]
    unpause: FeatureCode = DEFAULTS["unpause"]
    finish: FeatureCode = DEFAULTS["finish"]
    extend: FeatureCode = DEFAULTS["extend"]
    outcome: FeatureCode = DEFAULTS["outcome"]
    tag: FeatureCode = DEFAULTS["tag"]
    note: FeatureCode = DEFAULTS["note"]
    follow_up: FeatureCode = DEFAULTS["follow_up"]
    follow_ups: FeatureCode = DEFAULTS["follow_ups"]
    state: FeatureCode = DEFAULTS["state"]
    personal: FeatureCode = DEFAULTS["personal"]
    listen: FeatureCode = DEFAULTS["listen"]
    whisper: FeatureCode = DEFAULTS["whisper"]
    barge: FeatureCode = DEFAULTS["barge"]
    take_over: FeatureCode = DEFAULTS["take_over"]
    record_pause: FeatureCode = DEFAULTS["record_pause"]
    record_resume: FeatureCode = DEFAULTS["record_resume"]
    record: FeatureCode = DEFAULTS["record"]
    figures: FeatureCode = DEFAULTS["figures"]
    colleague: FeatureCode = DEFAULTS["colleague"]
    supervisor: FeatureCode = DEFAULTS["supervisor"]
    escalate: FeatureCode = DEFAULTS["escalate"]
    close_hours: FeatureCode = DEFAULTS["close_hours"]
    open_hours: FeatureCode = DEFAULTS["open_hours"]


class PhonesSection(Section):
    pins_file: SitePath = Path("/var/lib/ccbridge/pins")
    pin_tries: Annotated[Whole, Between(1, 20)] = 5
    pin_lock: Annotated[Number, Between(10, 86_400, "seconds")] = 300.0
    extend_by: Annotated[Number, Between(10, 3600, "seconds")] = 60.0
    lamps: YesNo = False


class CallBackSection(Section):
    """Agents call their follow-ups' customers through the site's own context; without one they do not."""

    context: Context
    prefixes: Annotated[tuple[Prefix, ...], UNIQUE, Count(1, 100)]
    at_once: Annotated[Whole, Between(1, 100)] = 5
    an_hour: Annotated[Whole, Between(1, 1000)] = 20
    longest: Annotated[Number, Between(60, 36_000, "seconds")] = 3600.0


class TicketsSection(Section):
    tags: Annotated[dict[TagKey, Name], Count(0, 99)] = {}
    note_max: Annotated[Number, Between(5, 600, "seconds")] = 120.0
    note_within: Annotated[Number, Between(0, 86_400, "seconds")] = 600.0
    follow_up_after: Annotated[Number, Between(60, 31_536_000, "seconds")] = 86_400.0
    call_back: CallBackSection | None = None


class PersonalSection(Section):
    """Agents' own telephones, reached through a trunk. ``config.personal`` checks the numbers."""

    dial: TrunkDial | None = None
    countries: Annotated[tuple[Country, ...], UNIQUE, Count(0, 20)] = ()
    types: Annotated[tuple[Literal["mobile", "fixed"], ...], UNIQUE, Count(1, 2)] = ("mobile", "fixed")
    seconds: Annotated[Number, Between(5, 30, "seconds")] = 12.0
    prompts: Message = ("followme/options",)


class RuleSection(Section):
    after: Annotated[Number, Between(0, 86_400, "seconds")] = 0.0
    require: dict[Name, Level] = {}
    prefer: dict[Name, Level] = {}


class AnnounceSection(Section):
    position: YesNo = True
    wait: YesNo = True
    first: Annotated[Number, Between(0, 3600, "seconds")] = 10.0
    every: Annotated[Number, Between(10, 3600, "seconds")] = 30.0
    max_position: Annotated[Whole, Between(1, 1000)] = 10


class TargetSection(Section):
    """Where a queue's caller may leave to. Exactly one kind, which ``checks`` looks after."""

    extension: Extension | None = None
    queue: QueueRef | None = None
    priority: Priority = 0
    message: Message | None = None


class QueueSection(Section):
    ring: Annotated[Number, Between(3, 120, "seconds")] = 15.0
    wrap_up: Annotated[Number, Between(0, 3600, "seconds")] = 10.0
    max_wait: Annotated[Number, Between(10, 86_400, "seconds")] = 600.0
    max_waiting: Annotated[Whole, Between(0, 10_000)] = 0
    overflow: Extension
    overflow_to: dict[Literal["time", "full", "nobody", "paused"], TargetSection] = {}
    keys: dict[Key, TargetSection] = {}
    owner: Annotated[Number, Between(0, 600, "seconds")] = 0.0
    last_agent: Annotated[Number, Between(0, 600, "seconds")] = 0.0
    service_level: Annotated[Number, Between(1, 3600, "seconds")] = 20.0
    priority: Priority = 0
    strategy: Literal[
        "longest_idle",
        "round_robin",
        "fewest_calls",
        "least_talk",
        "linear",
        "random",
        "most_skilled",
        "ring_all",
    ] = "longest_idle"
    skills: Annotated[tuple[RuleSection, ...], Count(0, 10)] = ()
    expected_talk: Annotated[Number, Between(1, 36_000, "seconds")] = 180.0
    announce: AnnounceSection | None = None
    recording: Literal["always", "on_demand", "never"] = "always"


class AgentSection(Section):
    name: Title
    device: Device
    number: AgentNumber | None = None
    queues: Annotated[tuple[QueueRef, ...], UNIQUE, Count(0, 100)] = ()
    departments: Annotated[tuple[DepartmentRef, ...], UNIQUE, Count(0, 20)] = ()
    skills: dict[Name, Level] = {}
    wrap_up: Annotated[Number, Between(0, 3600, "seconds")] | None = None
    personal: Annotated[dict[Name, E164], Count(0, 3)] = {}


class SupervisorSection(Section):
    name: Title
    device: Device
    role: Literal[
        "trainee",
        "senior",
        "quality_analyst",
        "supervisor",
        "department_leader",
        "manager",
        "administrator",
    ]
    departments: Annotated[tuple[DepartmentRef, ...], UNIQUE, Count(0, 20)] = ()
    user: Account | None = None


class SupervisionSection(Section):
    notice: Literal["nobody", "agent", "both"] = "nobody"
    # The longest is shorter than what a session gives a phone that is rung.
    ring: Annotated[Number, Between(3, 40, "seconds")] = 20.0


class ScoreItemSection(Section):
    weight: Annotated[Whole, Between(1, 1000)] = 1
    critical: Annotated[Whole, Between(0, 100, "points")] = 0
    sound: Sound | None = None


class ScoreGroupSection(Section):
    weight: Annotated[Whole, Between(1, 1000)] = 1
    items: Annotated[dict[Name, ScoreItemSection], Count(1, 20)]


class ScoreCardSection(Section):
    queues: Annotated[tuple[QueueRef, ...], UNIQUE, Count(0, 100)] = ()
    departments: Annotated[tuple[DepartmentRef, ...], UNIQUE, Count(0, 20)] = ()
    groups: Annotated[dict[Name, ScoreGroupSection], Count(1, 20)]


class SiteFile(Section):
    asterisk: AsteriskSection = AsteriskSection()
    agi: AgiSection = AgiSection()
    database: DatabaseSection = DatabaseSection()
    journal: JournalSection = JournalSection()
    recording: RecordingSection = RecordingSection()
    catch_up: CatchUpSection = CatchUpSection()
    control: ControlSection = ControlSection()
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
    callers: CallersSection
    routing: RoutingSection = RoutingSection()
    phones: PhonesSection = PhonesSection()
    personal: PersonalSection = PersonalSection()
    codes: CodesSection = CodesSection()
    tickets: TicketsSection = TicketsSection()
    pause_reasons: Annotated[tuple[Name, ...], UNIQUE, Count(1, 20)] = ("break",)
    outcomes: Annotated[dict[OutcomeKey, Outcome], Count(1, 10)] = {
        "1": "resolved",
        "2": "closed",
        "3": "follow_up",
        "4": "open",
    }
    queues: dict[Name, QueueSection]
    departments: dict[Name, Annotated[tuple[QueueRef, ...], UNIQUE, Count(1, 100)]] = {}
    agents: dict[Name, AgentSection] = {}
    supervisors: dict[Name, SupervisorSection] = {}
    supervision: SupervisionSection = SupervisionSection()
    score_cards: Annotated[dict[Name, ScoreCardSection], Count(0, 100)] = {}
    hours: Annotated[dict[Name, HoursSection], Count(0, 100)] = {}
    ivr: IvrSection = IvrSection()
    lookups: Annotated[dict[Variable, LookupSection], Count(0, 100)] = {}
    flows: Annotated[dict[Name, FlowSection], Count(1, 1000)]
    numbers: dict[Did, FlowRef] = {}
    number_priority: dict[Did, Priority] = {}
    number_language: dict[Did, Language] = {}
    languages: Annotated[tuple[Language, ...], UNIQUE, Count(1, 20)] = ("en",)
    prompts: Annotated[Texts, Count(0, 1000)] = {}
    speech: SpeechSection | None = None
    default_flow: FlowRef
