// The theme before the first paint: what was chosen here, otherwise what the system prefers. A
// plain script in the head, since a module would run only after the page has flashed.
(() => {
  const root = document.documentElement
  const light = matchMedia('(prefers-color-scheme: light)')
  const stored = () => {
    // A browser may forbid storage altogether.
    try { return localStorage.getItem('tapecast.theme') } catch { return null }
  }
  const show = () => {
    root.dataset.theme = stored() ?? (light.matches ? 'light' : 'dark')
  }
  show()
  light.addEventListener('change', show)
  document.addEventListener('click', event => {
    if (!event.target.closest?.('[data-theme-toggle]')) return
    root.dataset.theme = root.dataset.theme === 'light' ? 'dark' : 'light'
    try { localStorage.setItem('tapecast.theme', root.dataset.theme) } catch { /* Until reload. */ }
  })
})()
