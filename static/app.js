// Every page works without this file. It answers in place, moves the bar and opens dialogs. Words come from the server.
const $ = (query, at = document) => at.querySelector(query)
const words = document.body.dataset

function toast(text, tone = 'ok') {
  const el = document.createElement('p')
  el.className = `toast ${tone}`
  el.textContent = text
  $('.toasts')?.append(el)
  fade(el)
}

function fade(el) {
  setTimeout(() => el.remove(), el.classList.contains('you') ? 8000 : 4000)
}

// Sends a form as a script would: the answer is JSON, and a refusal says why in the reader's language.
async function send(form) {
  let reply
  try {
    reply = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)), headers: { accept: 'application/json' } })
  } catch {
    throw new Error(words.offline)
  }
  const body = await reply.json().catch(() => ({}))
  if (!reply.ok) throw new Error(body.error?.text ?? words.failed)
  return body
}

// A switch is a form with one button; it flips at once, and flips back when the server refuses. The form carries the
// wanted state, so that a repeat changes nothing.
async function flip(form) {
  const button = $('[role=switch]', form)
  if (button.ariaBusy === 'true') return
  const on = button.getAttribute('aria-checked') !== 'true'
  button.setAttribute('aria-checked', on)
  button.setAttribute('aria-busy', 'true')
  try {
    const body = await send(form)
    form.elements.on.value = on ? '0' : '1'
    toast(body.text ?? (on ? form.dataset.on : form.dataset.off))
    form.dispatchEvent(new CustomEvent('flipped', { bubbles: true, detail: body }))
  } catch (error) {
    button.setAttribute('aria-checked', !on)
    toast(error.message, 'you')
  } finally {
    button.removeAttribute('aria-busy')
  }
}

// A form with data-into shows the answer's `html` in place: the connection tests.
async function fill(form, submitter) {
  const into = document.getElementById(form.dataset.into)
  into.setAttribute('aria-busy', 'true')
  if (submitter) submitter.disabled = true
  try {
    into.innerHTML = (await send(form)).html
    into.focus()
  } catch (error) {
    toast(error.message, 'you')
  } finally {
    into.removeAttribute('aria-busy')
    if (submitter) submitter.disabled = false
  }
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (event.submitter?.getAttribute('formmethod') === 'dialog') return
  if (form.matches('[data-switch]')) {
    event.preventDefault()
    flip(form)
  } else if (form.matches('[data-into]')) {
    event.preventDefault()
    fill(form, event.submitter)
  } else if (form.method === 'post') {
    // A second press would send it twice.
    if (form.dataset.sent) event.preventDefault()
    form.dataset.sent = 'yes'
  }
})
addEventListener('pageshow', () => document.querySelectorAll('[data-sent]').forEach((form) => delete form.dataset.sent))

// A link with data-dialog opens the dialog; without this file it goes to the page that asks the same.
document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-dialog]')
  const dialog = link && document.getElementById(link.dataset.dialog)
  if (!dialog) return
  event.preventDefault()
  dialog.showModal()
})

// A choice that shows or hides a part of the form.
document.addEventListener('change', (event) => {
  const form = event.target.closest('form[data-submit]')
  if (form) form.requestSubmit()
})

// A run in progress: {done, total, text, left}; when it ends the page is read anew.
const live = $('[data-live]')
function paint({ done, total, text, left, steps, over }) {
  if (over) return location.reload()
  const bar = $('progress', live)
  if (total) Object.assign(bar, { max: total, value: done })
  else bar.removeAttribute('value')
  $('[data-done]', live).textContent = text
  $('[data-left]', live).textContent = left
  const list = $('[data-steps]')
  if (list && steps !== undefined) list.innerHTML = steps
}
if (live?.dataset.live) {
  const events = new EventSource(live.dataset.live)
  events.onmessage = (message) => paint(JSON.parse(message.data))
  addEventListener('pagehide', () => events.close())
}

document.querySelectorAll('.toast').forEach(fade)
$('[aria-invalid=true]')?.focus()
