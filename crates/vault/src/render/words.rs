//! The few words that the renderer itself writes.

/// Words in the language of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    korean: bool,
}

impl Words {
    pub(super) fn new(korean: bool) -> Self {
        Self { korean }
    }

    fn pick(self, korean: &'static str, english: &'static str) -> &'static str {
        if self.korean { korean } else { english }
    }

    pub(super) fn missing_image(self) -> &'static str {
        self.pick("이미지가 없음", "missing image")
    }

    pub(super) fn missing_file(self) -> &'static str {
        self.pick("파일이 없음", "missing file")
    }

    pub(super) fn missing_part(self) -> &'static str {
        self.pick("노트에 이 부분이 없음", "no such part in the note")
    }

    pub(super) fn cycle(self) -> &'static str {
        self.pick("순환: 이미 펼쳐진 노트", "cycle: already shown above")
    }

    pub(super) fn embed_limit(self) -> &'static str {
        self.pick("더 깊이 펼치지 않음", "not embedded any deeper")
    }

    pub(super) fn external_image(self) -> &'static str {
        self.pick("외부 이미지", "external image")
    }

    pub(super) fn too_deep(self) -> &'static str {
        self.pick("한도를 넘어 원문으로 보임", "beyond a limit; shown as source")
    }

    pub(super) fn heading_link(self) -> &'static str {
        self.pick("이 제목으로 가는 링크", "link to this heading")
    }

    pub(super) fn footnotes(self) -> &'static str {
        self.pick("각주", "Footnotes")
    }

    pub(super) fn back(self) -> &'static str {
        self.pick("본문으로 돌아가기", "back to the text")
    }

    pub(super) fn task(self, done: bool) -> &'static str {
        if done {
            self.pick("한 일", "done")
        } else {
            self.pick("할 일", "to do")
        }
    }

    pub(super) fn base(self) -> &'static str {
        self.pick(
            "베이스는 Obsidian에서만 표로 보이며, 여기서는 원문임",
            "a base is a table in Obsidian only; this is its source",
        )
    }

    pub(super) fn broken_canvas(self) -> &'static str {
        self.pick("이 캔버스는 읽을 수 없음", "this canvas cannot be read")
    }

    pub(super) fn canvas(self, cards: usize) -> String {
        if self.korean {
            format!("카드 {cards}개짜리 캔버스")
        } else {
            format!("a canvas of {cards} cards")
        }
    }

    pub(super) fn canvas_limit(self, most: usize) -> String {
        if self.korean {
            format!("카드와 화살표는 {most}개까지만 그림")
        } else {
            format!("only {most} cards and arrows are drawn")
        }
    }
}
