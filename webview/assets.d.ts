/** Files that the bundler turns into parts of dist/webview.css. */
declare module '*.css';
