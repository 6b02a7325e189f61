//! The table of texts. One line a text: its name, Korean, English.

use super::Lang;

macro_rules! texts {
    ($($name:ident: $ko:literal, $en:literal;)*) => {
        /// A text of the interface. Its words stand in the table of this file.
        #[allow(missing_docs)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Text { $($name,)* }

        impl Text {
            /// Every text.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The words, with their places still to fill.
            pub fn say(self, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Self::$name, Lang::Ko) => $ko, (Self::$name, Lang::En) => $en,)*
                }
            }

            /// The text of this name, as a template names it.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

texts! {
    // The frame of every page.
    Home: "첫 화면", "Home";
    SkipToContent: "본문으로 건너뛰기", "Skip to content";
    Vault: "보관함", "Vault";
    Notes: "노트", "Notes";
    Library: "서재", "Library";
    LibraryHint: "Peapod와 함께 오는 노트", "Notes that come with Peapod";
    Search: "검색", "Search";
    SearchNotes: "노트 검색", "Search notes";
    OpenNote: "노트 열기", "Open a note";
    Settings: "설정", "Settings";
    Close: "닫기", "Close";
    Menu: "노트 목록", "Notes";
    Outline: "목차", "Outline";
    Edges: "목차와 백링크", "Outline and backlinks";
    ExperimentCount: "실행할 수 있는 셀 {n}개", "{n:cell/cells} to run";
    Failing: "다시 볼 주장", "Claims to look at again";
    RecentRuns: "최근 실행", "Recent runs";
    NoRunsYet: "아직 실행한 것이 없다. 노트를 열고 ▶ 실행을 눌러 보자.", "Nothing has run yet. Open a note and press ▶ Run.";
    NothingFails: "기대와 다른 주장이 없다.", "No claim is other than expected.";
    Tagline: "실행되는 쿠버네티스 공부 노트", "A study notebook for Kubernetes whose notes run";
    StartReading: "읽기 시작", "Start reading";
    AllNotes: "모든 노트", "All notes";
    NotesOf: "{vault} · 노트 {n}개", "{vault} · {n:note/notes}";
    NotesMore: "모두 보기 ({n})", "Show all ({n})";

    // Notes.
    Properties: "속성", "Properties";
    Tags: "태그", "Tags";
    Aliases: "별칭", "Aliases";
    Backlinks: "이 노트를 가리키는 노트", "Notes that link here";
    NoBacklinks: "이 노트를 가리키는 노트가 없다.", "No note links here.";
    CellsHere: "이 노트의 셀", "Cells of this note";
    FromLibrary: "서재", "library";
    FromLibraryTitle: "서재의 노트: {name}", "A note of the library: {name}";
    Unresolved: "아직 쓰지 않은 노트: {name}", "Not written yet: {name}";
    UnresolvedTitle: "아직 쓰지 않은 노트", "Not written yet";
    UnresolvedText: "“{name}” 노트는 보관함에도 서재에도 없다.", "Neither the vault nor the library has a note named “{name}”.";
    UnresolvedCreate: "보관함에 {file:을/를} 만들면 이 주소에 나타난다.", "Create {file} in the vault and it appears at this address.";
    LinkedFrom: "이 이름을 가리키는 노트", "Notes that link to this name";
    DidYouMean: "비슷한 이름", "Similar names";
    MissingImage: "그림 파일이 없다: {name}", "Missing image: {name}";
    ExportNote: "보고서로 내보내기", "Export report";
    ExportHtml: "HTML 보고서", "HTML report";
    ExportMarkdown: "Markdown 보고서", "Markdown report";
    NoteProblems: "이 노트의 문제 {n}개", "{n:problem/problems} in this note";
    Problem: "문제", "Problem";
    Warning: "경고", "Warning";
    Notice: "알림", "Notice";
    Hint: "도움말", "hint";
    NoteTooLong: "노트가 너무 길어 처음 {shown}만 보인다 (전체 {size}).", "The note is too long; its first {shown} of {size} are shown.";
    NoteChanged: "노트가 바뀌어 새로 읽었다.", "The note changed and was read again.";
    NoteGone: "노트가 지워졌다.", "The note is gone.";
    TaggedNotes: "#{tag} 태그가 있는 노트", "Notes tagged #{tag}";
    Source: "원문", "Source";

    // Cells.
    Run: "실행", "Run";
    RunAgain: "다시 실행", "Run again";
    Change: "바꿔 보기", "Try a change";
    ChangeHint: "고친 것은 실행에만 쓰이고, 노트는 그대로 남는다.", "The change is used for the run alone; the note stays as it is.";
    ChangedSource: "고친 내용", "Changed source";
    RunChanged: "고친 것으로 실행", "Run the change";
    ChangedCopy: "고친 것", "changed copy";
    ChangeLink: "링크 복사", "Copy a link";
    ChangeLinkCopied: "링크를 복사했다. 고친 내용이 링크 안에 들어 있다.", "Copied; the link itself holds the change.";
    ChangeMarkdown: "Markdown으로 내려받기", "Download as Markdown";
    ChangeBack: "노트의 것으로", "As in the note";
    ChangeAgain: "이것에서 바꿔 보기", "Change it further";
    ChangeFine: "시행 {n}개로 실행할 수 있다.", "It can run: {n:trial/trials}.";
    ChangeNothing: "아직 고친 것이 없다.", "Nothing is changed yet.";
    ChangedFromNote: "노트와 다른 곳", "Other than in the note";
    ChangedSince: "바뀐 것", "What changed";
    ChangedNothing: "같은 내용", "the same text";
    CopyOf: "{note}의 셀 {cell:을/를} 고친 것.", "A changed copy of cell {cell} of {note}.";
    Resume: "이어서 실행", "Resume";
    NotResumable: "이 실행은 끝났거나 아직 실행 중이라 이어서 할 것이 없다.", "This run has ended or still goes on; there is nothing to resume.";
    History: "기록", "History";
    HistoryN: "기록 {n}", "History {n}";
    HistoryOf: "{cell} 기록", "History of {cell}";
    NoHistory: "아직 실행 기록이 없다.", "It has not been run yet.";
    CellManifest: "매니페스트", "Manifest";
    CellExperiment: "실험", "Experiment";
    CellConsole: "콘솔", "Console";
    CellBroken: "이 셀은 실행할 수 없다", "This cell cannot run";
    ShowSource: "실험 보기", "Show the experiment";
    NotRunYet: "아직 실행하지 않았다", "Not run yet";
    Stale: "이 기록 뒤에 셀이 바뀌었다", "The cell has changed since this run";
    Kubernetes: "쿠버네티스", "Kubernetes";
    Trials: "시행", "Trials";
    TrialsN: "시행 {n}개", "{n:trial/trials}";
    VirtualTime: "가상 시간", "Virtual time";
    WallTime: "실제", "real time";
    RanAgo: "{ago} 실행", "Run {ago}";
    Seed: "시드", "Seed";

    // Predictions.
    Predict: "예측", "Your prediction";
    PredictAnswer: "답", "Answer";
    PredictKeep: "예측 적어 두기", "Keep the prediction";
    PredictEach: "조합마다 예측하기: {of}", "Predict each combination: {of}";
    PredictAgain: "다시 예측하기", "Predict again";
    PredictTooLate: "이미 실행한 셀이라 예측을 받지 않는다. 셀을 고치면 다시 예측할 수 있다.", "The cell has been run already, so it is too late to predict. A changed cell can be predicted anew.";
    NothingAsked: "이 셀은 예측을 묻지 않는다.", "This cell asks for no prediction.";
    YouPredicted: "예측:", "You predicted";
    YouPredictedCells: "조합마다 예측했다.", "You predicted single combinations.";
    PredictedNotRun: "실행하면 결과와 견준다.", "Run the cell to compare it with what comes out.";
    PredictedByYourself: "이 물음의 답은 아래 결과에서 스스로 찾아보자.", "Compare it with the result below.";
    PredictedRight: "맞혔다", "right";
    PredictedWrong: "빗나갔다", "wrong";
    PredictedScore: "조합 {all}개 가운데 {right}개를 맞혔다", "{right} of {all} combinations right";
    CameOut: "결과:", "It came out as";

    // Sessions.
    Sessions: "세션", "Sessions";
    SessionsHint: "세션에서는 셀들이 살아 있는 클러스터 하나를 함께 쓰고, 시계는 읽는 사람이 쥔다.", "In a session cells share one living cluster whose clock you hold.";
    SessionOpen: "세션으로 열기", "Open as a session";
    SessionOfThis: "{title} · 세션", "{title} · session";
    SessionNotFound: "그런 세션이 없다.", "There is no such session.";
    SessionNoCell: "그런 셀이 없거나 아직 실행하지 않았다.", "There is no such cell, or it has not run.";
    SessionTooMuch: "한 세션에 담기에는 너무 많다. 새로 시작하거나 줄인다.", "That is too much for one session; restart it, or make it smaller.";
    SessionOfNote: "노트의 셀은 노트의 순서를 따른다. 새 셀은 메모장에서 만든다.", "The cells of a note follow the note; new cells belong on a scratch page.";
    SessionSpeed: "배속은 0보다 큰 수다.", "A speed is a number greater than 0.";
    SessionRestoring: "한 일을 다시 하는 중", "doing again what was done";
    SessionWaiting: "실행 중, {n}개 기다림", "running, {n} waiting";
    SessionFollows: "실제 시간의 {speed}배로 흐른다", "{speed} × real time";
    SessionSettled: "더 바뀔 것이 없다", "nothing is left to happen";
    SessionStands: "멈춰 있다", "stands still";
    SessionCluster: "지금의 클러스터", "The cluster now";
    SessionRunAll: "모두 실행", "Run all";
    SessionRunStale: "낡은 것 다시 실행", "Run what is stale";
    SessionStale: "위의 셀이나 이 셀이 바뀌어 낡았다", "stale: this cell or one above it has changed";
    SessionEdited: "노트와 다름", "not as in the note";
    SessionRevert: "노트의 것으로", "As in the note";
    SessionInterrupt: "중단", "Interrupt";
    SessionRestart: "새 클러스터로", "Restart";
    SessionRestartWith: "다른 클러스터로 새로 시작", "Restart with another cluster";
    SessionReset: "이 셀 앞으로 되돌리기", "Back to before this cell";
    SessionRunCell: "이 셀 실행", "Run this cell";
    SessionClock: "시계", "Clock";
    SessionSettle: "가라앉을 때까지", "Until settled";
    SessionStep: "다음 변화", "Next change";
    SessionAdvance: "흘리기", "Advance";
    SessionSeconds: "초", "seconds";
    SessionFollow: "실제 시간으로", "Real time";
    SessionSpeedLabel: "배속", "Speed";
    SessionConsole: "콘솔", "Console";
    SessionConsoleHint: "kubectl get pods, 또는 %until pod/web Ready. Tab 완성, ↑↓ 기록", "kubectl get pods, or %until pod/web Ready. Tab completes, ↑↓ history";
    SessionInsertAbove: "위에 셀 넣기", "Insert a cell above";
    SessionInsertBelow: "아래에 셀 넣기", "Insert a cell below";
    SessionRemove: "셀 지우기", "Delete the cell";
    SessionForget: "세션 지우기", "Delete the session";
    SessionEmpty: "아직 세션이 없다. 노트에서 ‘세션으로 열기’를 누르거나 메모장을 연다.", "There are no sessions yet. Press “Open as a session” on a note, or open a scratch page.";
    SessionNeedsScript: "세션은 자바스크립트가 있어야 움직인다. 없이도 마지막 모습은 읽을 수 있다.", "A session needs JavaScript to move; without it you read it as it stands.";
    SessionOffline: "서버와 끊겼다. 다시 이어지면 이어서 보인다.", "The server is away; the session goes on here when it is back.";
    SessionKeys: "Shift-Enter 실행하고 다음 · Ctrl-Enter 실행 · Esc 명령, Enter 편집 · ↑↓ 셀 · 0 0 새로 시작 · I I 중단", "Shift-Enter run and go on · Ctrl-Enter run · Esc commands, Enter edit · ↑↓ cells · 0 0 restart · I I interrupt";
    SessionKeysScratch: "A·B 위·아래에 셀 · D D 지우기", "A, B cell above, below · D D delete";
    SessionCellText: "셀 {n}의 내용", "Text of cell {n}";
    SessionNodes: "노드 수", "Nodes";
    SessionIn: "In", "In";
    SessionMore: "그 밖에 {n}개", "{n} more";
    ScratchPage: "메모장", "Scratch page";
    ScratchNew: "새 메모장", "New scratch page";

    // Runs.
    RunTitle: "{cell} · 실행 기록 {id}", "{cell} · run {id}";
    RunId: "실행 기록 {id}", "Run {id}";
    Claims: "주장", "Claims";
    Results: "결과", "Results";
    Decision: "결정표", "Decision table";
    Observations: "관측값", "Observations";
    Observation: "관측값", "Observation";
    Value: "값", "Value";
    OtherObservations: "다른 관측값", "Other observations";
    AllTrials: "모든 시행", "All trials";
    RunOpen: "실행 기록 열기", "Open the run";
    Holds: "맞음", "holds";
    Fails: "틀림", "fails";
    Depends: "조건부", "depends";
    Unchecked: "미확인", "unchecked";
    AsExpected: "기대한 대로", "as expected";
    NotAsExpected: "기대와 다름", "not as expected";
    MeansToFail: "틀림을 보이려는 주장", "meant to fail";
    TrialsFor: "{for}/{all} 시행", "{for}/{all} trials";
    AtMost: "늦어도 {span}", "within {span}";
    CounterExample: "반례: {what}", "counter-example: {what}";
    HoldsWhen: "맞는 조건: {rule}", "holds when {rule}";
    RuleAlways: "언제나", "always";
    RuleOr: "또는", "or";
    RuleAnd: "그리고", "and";
    RuleNotMinimal: "더 작은 규칙이 있을 수 있다.", "A smaller set of rules may exist.";
    Missing: "없음", "none";
    Mixed: "갈림", "mixed";
    StatusRunning: "실행 중", "running";
    StatusFinished: "끝남", "finished";
    StatusFailed: "실행하지 못함", "could not run";
    StatusCancelled: "취소됨", "cancelled";
    StatusInterrupted: "중단됨", "interrupted";
    StatusQueued: "차례를 기다림", "waiting its turn";
    InterruptedText: "서버가 멈춰 중단되었다. 그때까지 끝난 시행은 남아 있다.", "The server stopped before it ended. The trials that had ended by then are kept.";
    Cancel: "취소", "Cancel";
    Progress: "{done}/{total} 시행이 끝났다", "{done} of {total} trials ended";
    Variables: "변수", "Variables";
    Ended: "끝난 까닭", "Ended";
    EndedUntil: "정한 시각", "at its time";
    EndedSettled: "더 바뀔 것이 없음", "settled";
    EndedCap: "상한에 닿음", "at its cap";
    EndedLimit: "한도에 닿음", "at a limit";
    EndedError: "오류", "error";
    EndedCancelled: "취소됨", "cancelled";
    Records: "기록 항목", "Records";
    Notices: "시뮬레이션하지 않은 것과 가정", "Not simulated, and assumed";
    Where: "조건", "where";
    NoteOf: "노트: {note}", "Note: {note}";
    Started: "시작", "Started";
    Status: "상태", "Status";
    Experiment: "실험", "Experiment";
    CopyNotice: "노트의 셀을 고쳐서 실행한 기록이다.", "A run of a changed copy of the note's cell.";

    // Trials.
    OpenTrial: "시행 열기", "Open the trial";
    TrialN: "시행 {n}", "Trial {n}";
    PreviousTrial: "이전 시행", "Previous trial";
    NextTrial: "다음 시행", "Next trial";
    Timeline: "타임라인", "Timeline";
    TimelineOf: "시행 {n}의 타임라인, 전체 {span}", "Timeline of trial {n}, {span} in all";
    Axis: "시간축", "Axis";
    AxisEvent: "사건순", "by event";
    AxisLinear: "시간", "linear";
    AxisEventHint: "긴 기다림을 줄여 그린다", "long waits are compressed";
    AxisLinearHint: "시간에 비례해 그린다", "in proportion to time";
    Play: "재생", "Play";
    Pause: "멈춤", "Pause";
    Instant: "시점", "Instant";
    Previous: "이전 변화", "Previous change";
    Next: "다음 변화", "Next change";
    First: "처음", "Start";
    Last: "끝", "End";
    Go: "이동", "Go";
    ClusterAt: "{t}의 클러스터", "The cluster at {t}";
    NoNode: "아직 노드가 없는 파드", "Pods without a node";
    NoPodsHere: "파드 없음", "no pods";
    PodReady: "준비됨", "ready";
    PodNotReady: "준비 안 됨", "not ready";
    Restarts: "재시작 {n}", "{n:restart/restarts}";
    ViewGet: "kubectl get", "kubectl get";
    ViewDescribe: "describe", "describe";
    ViewLogs: "로그", "Logs";
    ViewYaml: "YAML", "YAML";
    ViewEvents: "이벤트", "Events";
    ViewConsole: "콘솔", "Console";
    ViewConsoleHint: "이 시점의 클러스터에 묻는다: kubectl get pods -o wide", "Ask the cluster of this instant: kubectl get pods -o wide";
    ViewWhy: "왜?", "Why?";
    Object: "객체", "Object";
    Show: "보기", "Show";
    NoOutput: "(출력 없음)", "(no output)";
    NoObjects: "이 시점에는 아무 객체도 없다.", "There is no object at this instant.";
    NoLogs: "이 시점까지 아무 컨테이너도 출력하지 않았다.", "No container has written anything by this instant.";
    WhyNothing: "이 시점에 바뀐 것이 없다. 타임라인에서 변화를 골라 보자.", "Nothing changes at this instant. Choose a change on the timeline.";
    WhyTitle: "왜 이렇게 되었나", "Why this happened";
    LaneSteps: "실험 단계", "Steps";
    LaneEvents: "이벤트", "Events";
    LaneNodes: "노드", "Nodes";
    LaneWorkloads: "워크로드", "Workloads";
    LanePhases: "phase", "Phases";
    LaneConditions: "condition", "Conditions";
    LaneContainers: "컨테이너", "Containers";
    LaneProbes: "프로브", "Probes";
    LaneScheduling: "스케줄링", "Scheduling";
    LaneControllers: "컨트롤러", "Controllers";
    LanesOnly: "이름으로 거르기", "Filter by name";
    LanesShown: "그릴 레인", "Lanes";
    LanesNone: "여기에 맞는 레인이 없다.", "No lane has that in its name.";
    ZoomWhole: "전체", "All";
    ZoomIn: "확대", "Zoom in";
    ZoomOut: "축소", "Zoom out";
    PanLeft: "왼쪽으로", "Earlier";
    PanRight: "오른쪽으로", "Later";
    AsTable: "타임라인을 표로 보기", "The timeline as a table";
    LanesHidden: "레인 {n}개는 그리지 않았다.", "{n:lane/lanes} not drawn.";
    PodsHidden: "그리지 않은 파드 {n}개", "{n:pod/pods} not drawn";
    From: "부터", "From";
    To: "까지", "To";
    What: "무엇", "What";
    State: "상태", "State";
    Keys: "←→ 이전·다음 변화, Home·End 처음·끝, 스페이스 재생, +− 확대·축소, Shift-←→ 옮기기, 0 전체", "←→ previous and next change, Home and End, space to play, + and − zoom, Shift-←→ pan, 0 all";
    NotReplayed: "이 시행의 추적은 보관되어 있지 않다.", "The trace of this trial is not kept.";
    Digest: "추적 지문", "Trace digest";

    // Why: what a record says.
    WhyCommand: "사람이 적용했다: {text}", "A person applied: {text}";
    WhyKubectl: "사람이 실행했다: kubectl {text}", "A person ran: kubectl {text}";
    WhyFault: "장애: {text}", "Fault: {text}";
    WhyAdded: "{object:이/가} 만들어졌다", "{object} was created";
    WhyDeleted: "{object:이/가} 지워졌다", "{object} was removed";
    WhyChanged: "{object}: {change}", "{object}: {change}";
    WhyEvent: "이벤트 {reason}: {message}", "Event {reason}: {message}";
    WhyPullStarted: "이미지를 받기 시작했다: {image}", "Began to pull {image}";
    WhyPulled: "이미지를 받았다: {image}", "Pulled {image}";
    WhyImageRemoved: "아무도 쓰지 않는 이미지를 지웠다: {image}", "Removed an image that nobody used: {image}";
    WhyPullFailed: "이미지를 받지 못했다: {image}: {error}", "Could not pull {image}: {error}";
    WhySandboxReady: "파드 샌드박스가 준비되었다 ({ip})", "The pod's sandbox is ready ({ip})";
    WhySandboxStopped: "파드 샌드박스가 멈췄다", "The pod's sandbox stopped";
    WhyStarted: "{container} 컨테이너가 시작되었다", "Container {container} started";
    WhyStartFailed: "{container} 컨테이너를 시작하지 못했다: {error}", "Container {container} could not start: {error}";
    WhyExited: "{container} 컨테이너가 끝났다: exit {code}, {reason}", "Container {container} ended: exit {code}, {reason}";
    WhySignalled: "{container} 컨테이너에 {signal:을/를} 보냈다", "{signal} was sent to container {container}";
    WhyHook: "{container} 컨테이너의 {hook}: {outcome}", "{hook} of container {container}: {outcome}";
    WhyProbe: "{container} 컨테이너의 {probe} 프로브: {result} {message}", "The {probe} probe of container {container}: {result} {message}";
    WhyNotice: "{text}", "{text}";
    WhyDecision: "규칙 {code}", "Rule {code}";

    // Two courses beside each other.
    CompareTitle: "견주기", "Compare";
    CompareWith: "견줄 것", "Compare with";
    CompareSame: "두 추적은 기록 하나까지 똑같다.", "The two traces are the same, record by record.";
    CompareParts: "{t}에 처음 갈라진다", "They part first at {t}";
    CompareExact: "과정은 같고, {t}의 기록 하나가 처음 다르다", "The same course; the first record that differs is at {t}";
    CompareOnly: "{side}에서만 한 일", "Done in {side} only";
    CompareNothing: "더는 아무 일도 없다", "nothing any more";
    CompareEnd: "끝에서 본 값", "Seen at the end";
    CompareMark: "처음 갈라지는 때", "where they part first";
    CompareOnVersion: "같은 시행, 쿠버네티스 {version}", "the same trial, Kubernetes {version}";
    Differs: "다름", "differs";
    BranchTitle: "두 미래", "Two futures";
    BranchHere: "여기서 갈라지기", "Branch from here";
    BranchHint: "이 시행과 똑같이 가다가, 이때 누군가 다른 일을 한다.", "The same trial, in which somebody does something else at this instant.";
    BranchAt: "언제", "When";
    BranchDo: "할 일", "What is done";
    BranchDoHint: "kubectl …, 또는 장애 {node: node-1, powerOff: true}", "kubectl …, or a fault such as {node: node-1, powerOff: true}";
    BranchGo: "두 미래 보기", "See both futures";
    BranchSide: "{t}에 {deed}", "{deed} at {t}";
    CannotRun: "그렇게는 할 수 없다: {why}", "That cannot be done: {why}";
    NoReturn: "돌이킬 수 없는 때", "Point of no return";
    NoReturnHint: "이 일이 주장의 결과를 아직 바꿀 수 있는 마지막 때를 찾는다.", "Looks for the last instant at which this would still have changed what comes of a claim.";
    NoReturnAt: "{t}까지는 늦지 않다. 그때 하면", "Until {t} it is not too late; done then, it";
    NoReturnNever: "어느 때 해도 결과는 바뀌지 않는다.", "It changes nothing, at whichever instant.";
    NoReturnWithout: "그대로 두면", "As it is";
    NoReturnTried: "시행 {tried}번, 바뀐 때 {all}개 가운데 {looked}개를 끝에서부터 보았다", "{tried:trial/trials}; {looked} of {all} instants at which something changed, from the end";
    Refute: "반례 찾기", "Look for a counter-example";
    RefuteOf: "이 주장이 틀리는 경우를 찾는다", "A case in which this claim is false";
    RefuteGoes: "매니페스트의 필드와 장애를 하나씩, 그다음 둘씩 바꿔 보는 중", "changing fields of the manifests and faults, one at a time, then two";
    RefuteFound: "반례가 있다", "There is a counter-example";
    RefuteNotFound: "반례를 찾지 못했다", "No counter-example was found";
    RefuteUnchanged: "바꾸지 않은 그대로", "as it stands, without a change";
    RefuteChanged: "바꾼 것", "What is changed";
    RefuteAdded: "{object}: {path}: {to} 더함", "{object}: {path}: {to} (added)";
    RefuteTaken: "{object}: {path} 뺌 ({from}였음)", "{object}: {path} taken out (it was {from})";
    RefuteReplaced: "{object}: {path}: {from} → {to}", "{object}: {path}: {from} → {to}";
    RefuteCame: "그러면", "Then";
    RefuteTried: "시행 {n}번, 바꿀 수 있는 것 {changes}가지", "{n:trial/trials}, {changes} possible changes";
    RefuteDepth0: "이 주장은 어느 시행에도 걸리지 않는다.", "The claim applies to no trial.";
    RefuteDepth1: "{changes}가지를 하나씩 모두 바꿔 보았다.", "Each of {changes} changes was tried by itself.";
    RefuteDepth1Part: "{changes}가지 가운데 일부를 하나씩 바꿔 보았다.", "Some of {changes} changes were tried by themselves.";
    RefuteDepth2: "{changes}가지를 하나씩, 둘씩 모두 바꿔 보았다.", "All of {changes} changes were tried, and all pairs of them.";
    RefuteDepth2Part: "{changes}가지를 하나씩 모두, 둘씩은 일부를 바꿔 보았다.", "Each of {changes} changes was tried by itself, and some pairs of them.";
    RefuteStopped: "멈추었다.", "It was stopped.";
    RefuteAgain: "다시 찾기", "Look again";
    RefuteCase: "반례", "The counter-example";
    RefuteCompare: "반례와 견주기", "Beside the counter-example";
    RefuteManifests: "바뀐 매니페스트", "The manifests as changed";
    ClaimNotFound: "그런 주장이 없다.", "There is no such claim.";

    // Search, settings.
    SearchFor: "검색어", "Search for";
    SearchResults: "“{query}” 검색 결과 {n}개", "{n:result/results} for “{query}”";
    SearchNothing: "“{query}” 검색 결과가 없다.", "No note contains “{query}”.";
    SearchHint: "제목과 본문에서 찾는다. 한국어는 낱말의 일부로도 찾을 수 있다.", "Titles and texts are searched; Korean also by parts of words.";
    QuickHint: "이름 일부를 쓰고 Enter", "Type a part of the name, then Enter";
    Language: "언어", "Language";
    ThemeName: "밝기", "Appearance";
    ThemeAuto: "시스템에 맞춤", "As the system";
    ThemeLight: "밝게", "Light";
    ThemeDark: "어둡게", "Dark";
    Save: "저장", "Save";
    Shortcuts: "단축키", "Keyboard shortcuts";
    ShortcutSearch: "본문 검색", "Search";
    ShortcutQuick: "노트 열기", "Open a note";
    ShortcutRun: "가까운 셀 실행", "Run the nearest cell";
    SettingsCookie: "이 브라우저에만 쿠키로 남는다.", "Kept as cookies in this browser alone.";

    // Errors.
    NotFound: "찾을 수 없다", "Not found";
    PageNotFound: "이 주소에는 아무것도 없다.", "There is nothing at this address.";
    RunNotFound: "그런 실행 기록이 없다.", "There is no such run.";
    TrialNotFound: "이 실행 기록에는 그런 시행이 없다.", "This run has no such trial.";
    CellNotFound: "그런 셀이 노트에 없다. 노트가 바뀌었을 수 있다.", "The note has no such cell; it may have changed.";
    BadRequest: "요청을 이해할 수 없다", "The request cannot be understood";
    BadRequestText: "주소나 보낸 내용에 빠진 것이 있거나 읽을 수 없는 것이 있다.", "Something is missing from the address or from what was sent, or cannot be read.";
    BadInstant: "시점 “{t}”은 읽을 수 없다. 194.25 또는 3m14s처럼 쓴다.", "“{t}” is not an instant. Write it as 194.25 or 3m14s.";
    TooLarge: "보낸 것이 너무 크다.", "What was sent is too large.";
    TooSlow: "답을 만드는 데 너무 오래 걸려 그만두었다.", "The answer took too long and was given up.";
    Internal: "Peapod 안에서 문제가 생겼다", "Something went wrong inside Peapod";
    InternalText: "이 요청은 처리하지 못했지만 서버와 기록은 그대로다. 자세한 것은 서버의 출력에 있다.", "This request failed; the server and what is kept are unharmed. Details are in the server's output.";
    Forbidden: "허락되지 않은 요청", "Refused";
    ForeignHost: "다른 이름으로 온 요청이라 거절했다. 시작할 때 나온 주소로 접속하거나, 그 이름을 --host로 허락한다.", "The request names a host that is not this server. Use the address shown at the start, or allow the name with --host.";
    ForeignOrigin: "다른 사이트에서 보낸 요청이라 거절했다.", "The request came from another site.";
    TooManyRuns: "기다리는 실행이 너무 많다. 끝난 뒤에 다시 누른다.", "Too many runs are waiting. Try again when some have ended.";
    MethodNotAllowed: "이 주소는 그렇게 쓰지 않는다.", "This address is not used in that way.";
    BackHome: "첫 화면으로", "Back to the start";

    // What a counter-example shows, by the form of its expectation.
    AgainstEventually: "{condition}: 한 번도 그렇게 되지 않았다", "{condition} never came to hold";
    AgainstAlways: "{condition}: 그렇지 않은 때가 있었다", "{condition} did not always hold";
    AgainstNever: "{condition}: 그렇게 되었다", "{condition} came to hold";
    AgainstFinally: "{condition}: 끝에 그렇지 않았다", "{condition} did not hold at the end";

    // Reports.
    ReportKind: "연구 보고서", "Study report";
    ReportSummary: "셀 {cells}개 중 {run}개의 결과 · 주장 {claims}개 중 {expected}개가 기대한 대로", "Results of {run} of {cells:cell/cells} · {expected} of {claims:claim/claims} as expected";
    ReportSummaryNoClaims: "셀 {cells}개 중 {run}개의 결과", "Results of {run} of {cells:cell/cells}";
    ReportNote: "노트", "Note";
    ReportMadeAt: "만든 때", "Made";
    ReportPeapod: "Peapod", "Peapod";
    ReportRun: "실행 기록", "Run";
    ReportClaimOf: "{note}의 주장", "A claim of {note}";
    ReportAppendix: "다시 해 볼 수 있게", "To do it again";
    ReportAppendixHint: "같은 버전과 시드, 같은 매니페스트는 같은 추적을 남긴다. 지문은 추적의 SHA-256 앞 16자리다.", "The same versions, seeds and manifests leave the same traces. A digest is the first 16 digits of a trace's SHA-256.";
    ReportSteps: "적용한 매니페스트와 명령", "Manifests and commands as they were applied";
    ReportMadeWith: "Peapod가 결정적인 쿠버네티스 시뮬레이션에서 얻은 결과다. 실제 클러스터에서 잰 시간이 아니다.", "Results of a deterministic simulation of Kubernetes by Peapod; times are not measured on a real cluster.";
}
