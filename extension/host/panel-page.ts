/** The one page that every panel is: bundle, styles, and a policy under which nothing else can run; pure. `csp-nonce` is for the toolkit's one style element. */

/** `script`, `style`: addresses that the page may load; `source`: VS Code's own origin for them; `panel`: which one it is, a trace when not said. */
export function panelPage(page: { readonly script: string; readonly style: string; readonly source: string; readonly nonce: string; readonly title: string; readonly panel?: string }): string {
  const policy = [
    "default-src 'none'", `script-src 'nonce-${page.nonce}'`, `style-src ${page.source} 'nonce-${page.nonce}'`,
    `font-src ${page.source}`, `img-src ${page.source} data: blob:`, "base-uri 'none'", "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escape(policy)}">
<meta property="csp-nonce" content="${page.nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${escape(page.style)}">
<title>${escape(page.title)}</title>
</head>
<body>
<div id="root"${page.panel ? ` data-panel="${escape(page.panel)}"` : ''}></div>
<script nonce="${page.nonce}" src="${escape(page.script)}"></script>
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, letter => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[letter]!);
}
