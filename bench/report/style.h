/* SPDX-License-Identifier: MIT */
/* The style sheet of the HTML report: light and dark, from a phone to a wide screen. */
#ifndef BENCH_STYLE_H
#define BENCH_STYLE_H

/* Ten hues of like lightness, told apart without red against green (after Okabe and Ito). */
static const char *const report_style[] = {
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6675;",
    "--line:#e3e7ec;--accent:#0b6bcb;--good:#08804f;--bad:#b3261e;--shade:0 1px 2px #1b233014,",
    "0 4px 16px #1b23300a;--c0:#0b6bcb;--c1:#c2570c;--c2:#08875d;--c3:#8a3ffc;--c4:#b8335f;",
    "--c5:#7a6a00;--c6:#0e7c99;--c7:#6f4a2d;--c8:#5d6b82;--c9:#d1388f}",
    "@media(prefers-color-scheme:dark){:root{--page:#10141a;--card:#181e27;--ink:#e6eaf0;",
    "--soft:#9aa6b6;--line:#2a323e;--accent:#62aefc;--good:#4fd09b;--bad:#ff8a80;--shade:none;",
    "--c0:#62aefc;--c1:#ff9d5c;--c2:#45cf9c;--c3:#b794ff;--c4:#ff7fa6;--c5:#dcc64a;--c6:#4fcbe8;",
    "--c7:#d3a27d;--c8:#a3b1c6;--c9:#ff86cd}}",
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);",
    "font:15px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;",
    "-webkit-text-size-adjust:100%}main{max-width:1240px;margin:0 auto;padding:28px 16px 64px}",
    "header{margin-bottom:20px}*+header{margin-top:72px}h1{font-size:26px;line-height:1.2;margin:0 "
    "0 4px;",
    "letter-spacing:-.02em}h1 b{color:var(--accent);font-weight:inherit}h2{font-size:19px;",
    "margin:40px 0 4px;letter-spacing:-.01em}h3{font-size:15px;margin:0 0 2px}",
    "p{margin:4px 0;color:var(--soft);max-width:78ch}.facts{display:flex;flex-wrap:wrap;gap:6px;",
    "list-style:none;padding:0;margin:12px 0 0}.facts li{background:var(--card);border:1px solid ",
    "var(--line);border-radius:99px;padding:2px 11px;font-size:13px;color:var(--soft)}",
    ".warn{border-left:3px solid var(--c1);background:var(--card);padding:8px 14px;margin:14px 0;",
    "border-radius:0 8px 8px 0;color:var(--ink);font-size:14px}.grid-of{display:grid;gap:16px;",
    "grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));margin-top:14px}",
    ".card{background:var(--card);border:1px solid var(--line);border-radius:12px;",
    "padding:16px 16px 12px;box-shadow:var(--shade);min-width:0}.card p{font-size:13px;",
    "margin:0 0 10px}.card svg{width:100%;height:auto;display:block;overflow:visible}",
    ".wide{max-width:none}.grid-of.two{grid-template-columns:repeat(auto-fill,",
    "minmax(min(440px,100%),1fr))}.up b{color:var(--good)}.down b{color:var(--bad)}",
    "td "
    "small{color:var(--soft);font-size:11.5px;margin-left:4px}.legend{list-style:none;display:flex;"
    "flex-wrap:wrap;",
    "gap:4px 16px;padding:0;margin:12px 0 0;font-size:13px;color:var(--soft)}.legend li{",
    "display:flex;align-items:center;gap:6px}.legend svg{width:26px;height:10px;flex:none}",
    "svg text{font-size:11px;fill:var(--soft);font-family:inherit}svg text.name,svg text.value{",
    "fill:var(--ink);font-size:12px}svg text.value{font-variant-numeric:tabular-nums}",
    "svg text.point{fill:var(--ink);font-size:10.5px}svg text.title{font-size:11px;",
    "font-style:italic}.grid{stroke:var(--line);fill:none}.guide{stroke:var(--line);",
    "stroke-dasharray:1 3;fill:none}.line{stroke:var(--c);fill:none;stroke-width:2;",
    "stroke-linejoin:round;stroke-linecap:round}.line.raw{stroke-dasharray:5 4;stroke-width:1.7}",
    ".line.peer{stroke-dasharray:1 4;stroke-width:2.2}.range{stroke:var(--c);stroke-width:5;",
    "stroke-opacity:.28;fill:none;stroke-linecap:round}.dot{fill:var(--c);stroke:var(--card);",
    "stroke-width:1.2}.dot.raw,.dot.peer{fill:var(--card);stroke:var(--c);stroke-width:2}",
    ".dot.faint{fill-opacity:.35}.front{stroke:var(--accent);stroke-opacity:.5;stroke-width:1.5;",
    "fill:none}.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}",
    ".c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}.c8{--c:var(--c8)}",
    ".c9{--c:var(--c9)}.scroll{overflow-x:auto;margin-top:12px;border:1px solid var(--line);",
    "border-radius:12px;background:var(--card);box-shadow:var(--shade)}table{border-collapse:",
    "collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}th,td{padding:7px ",
    "14px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}tr:last-child ",
    "td{border-bottom:0}th{font-weight:600;color:var(--soft);font-size:12.5px}th:first-child,",
    "td:first-child,td.text,th.text{text-align:left}td.text{white-space:normal;min-width:16em}",
    "tr.best td{font-weight:650}tr.front td:first-child::before{content:'\\25CF';",
    "color:var(--accent);margin-right:7px}tr td:first-child{padding-left:16px}",
    "details{margin-top:14px}summary{cursor:pointer;color:var(--accent);font-size:14px}",
    ".met{color:var(--good);font-weight:650}.missed{color:var(--bad);font-weight:650}",
    "p code{overflow-wrap:anywhere}code,pre{font:13px/1.5 ui-monospace,'DejaVu Sans "
    "Mono',monospace}pre{background:var(--card);",
    "border:1px solid var(--line);border-radius:12px;padding:14px 16px;overflow-x:auto}",
    "footer{margin-top:48px;font-size:13px;color:var(--soft)}",
};

#endif
