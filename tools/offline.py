"""Make a rendered site load nothing from elsewhere: what Quarto adds for widgets, which no page here has, and web fonts.

Without a network these lines fail ("define is not defined"), and with one they tell others who reads. Links that a reader may follow stay.
It also takes `:NoneType` out of signatures.

usage: python tools/offline.py FOLDER        of the rendered site
"""
import re, sys
from pathlib import Path

gone = [r'<script[^>]*\ssrc="https?://[^"]*"[^>]*>\s*</script>\n?',                        # jQuery, require.js
        r'<script[^>]*>\s*define\(\s*[\'"]jquery[\'"][^<]*</script>\n?',                    # what tells one of the other
        r'<link[^>]*\srel="(?:stylesheet|preconnect|dns-prefetch)"[^>]*\shref="https?://[^"]*"[^>]*>\n?',
        r'<link[^>]*\shref="https?://[^"]*"[^>]*\srel="(?:stylesheet|preconnect|dns-prefetch)"[^>]*>\n?',
        r'@import\s*(?:url\(\s*)?["\']https?://[^"\']*["\']\s*\)?[^;]*;',                    # fonts, in style sheets
        r'@import\s*url\(https?://[^)]*\)[^;]*;',
        # nbdev takes the type of a parameter from its default. That None is of the type NoneType tells a reader nothing
        r':(?:<[^>]*>)*\s*NoneType(?=(?:<[^>]*>|\s)*=)']


def cleaned(text):
    "The text without these lines, and how many there were."
    n = 0
    for pattern in gone:
        text, more = re.subn(pattern, '', text)
        n += more
    return text, n


def main(folder):
    changed = 0
    for path in sorted(p for p in Path(folder).rglob('*') if p.suffix in ('.html', '.css')):
        text, n = cleaned(path.read_text(encoding='utf-8'))
        if n: path.write_text(text, encoding='utf-8')
        changed += n
    print(f'{folder}: {changed} lines or parts of them are gone')


if __name__ == '__main__':
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir(): sys.exit(__doc__)
    main(sys.argv[1])
