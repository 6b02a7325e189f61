//! The shell's options: `set -…`.

/// `set -…`
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub errexit: bool,
    pub nounset: bool,
    pub xtrace: bool,
    pub noglob: bool,
    pub allexport: bool,
    pub pipefail: bool,
    pub noexec: bool,
    pub verbose: bool,
    pub noclobber: bool,
}

impl Options {
    /// Sets an option by its letter; false when there is none.
    pub fn set(&mut self, letter: char, on: bool) -> bool {
        let option = match letter {
            'e' => &mut self.errexit,
            'u' => &mut self.nounset,
            'x' => &mut self.xtrace,
            'f' => &mut self.noglob,
            'a' => &mut self.allexport,
            'n' => &mut self.noexec,
            'v' => &mut self.verbose,
            'C' => &mut self.noclobber,
            'm' | 'b' | 'h' => return true,
            _ => return false,
        };
        *option = on;
        true
    }

    /// Sets an option by its name; false when there is none.
    pub fn set_named(&mut self, name: &str, on: bool) -> bool {
        match name {
            "pipefail" => self.pipefail = on,
            "errexit" => self.errexit = on,
            "nounset" => self.nounset = on,
            "xtrace" => self.xtrace = on,
            "noglob" => self.noglob = on,
            "allexport" => self.allexport = on,
            "noexec" => self.noexec = on,
            "verbose" => self.verbose = on,
            "noclobber" => self.noclobber = on,
            "ignoreeof" | "monitor" | "vi" | "emacs" | "notify" | "nolog" => {}
            _ => return false,
        }
        true
    }

    /// `$-`
    pub fn letters(self) -> String {
        let letters = [
            (self.errexit, 'e'),
            (self.noglob, 'f'),
            (self.noclobber, 'C'),
            (self.noexec, 'n'),
            (self.xtrace, 'x'),
            (self.verbose, 'v'),
            (self.allexport, 'a'),
            (self.nounset, 'u'),
        ];
        letters
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, letter)| letter)
            .collect()
    }
}
