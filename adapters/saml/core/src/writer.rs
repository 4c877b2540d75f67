//! Writes XML with every value escaped, so that no text can become markup.
//!
//! Element and attribute names are literals of this crate; values come from
//! anywhere.

/// Builds one document or fragment. Elements close in the order in which they
/// were opened.
#[derive(Debug, Default)]
pub struct XmlWriter {
    out: String,
    open: Vec<&'static str>,
    /// The start tag is still without its `>`.
    in_tag: bool,
}

impl XmlWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an element, for example `saml:Issuer`.
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.end_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// Adds an attribute to the element that was just opened; without one it does nothing.
    pub fn attr(&mut self, name: &'static str, value: &str) -> &mut Self {
        if self.in_tag {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape_into(&mut self.out, value, true);
            self.out.push('"');
        }
        self
    }

    /// Adds an attribute where there is a value for it.
    pub fn attr_if(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.end_tag();
        escape_into(&mut self.out, value, false);
        self
    }

    /// Puts in markup that this crate has made itself.
    pub fn raw(&mut self, markup: &str) -> &mut Self {
        self.end_tag();
        self.out.push_str(markup);
        self
    }

    /// Closes the innermost open element.
    pub fn close(&mut self) -> &mut Self {
        let Some(name) = self.open.pop() else { return self };
        if self.in_tag {
            self.out.push_str("/>");
            self.in_tag = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        self
    }

    /// An element with text alone.
    pub fn leaf(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.open(name).text(text).close()
    }

    /// Closes what is still open and gives the text.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn end_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }
}

/// White space in attributes is escaped so that normalization keeps it (XML 1.0 section 3.3.3);
/// a carriage return is always escaped (section 2.11). What XML can't carry becomes U+FFFD.
fn escape_into(out: &mut String, value: &str, attribute: bool) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\t' if attribute => out.push_str("&#9;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_becomes_markup() {
        let mut writer = XmlWriter::new();
        writer.open("a").attr("b", "\"><x y='\n").text("</a>&\u{1}\r").close();
        assert_eq!(writer.finish(), "<a b=\"&quot;&gt;&lt;x y='&#10;\">&lt;/a&gt;&amp;\u{fffd}&#13;</a>");
    }

    #[test]
    fn closes_what_is_open() {
        let mut writer = XmlWriter::new();
        writer.open("a").open("b").attr_if("c", None).close().leaf("d", "t").open("e");
        assert_eq!(writer.finish(), "<a><b/><d>t</d><e/></a>");
    }
}
