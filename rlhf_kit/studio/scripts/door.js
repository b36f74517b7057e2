// Name and code go to Gradio's login; then the page that was asked for is asked for again.
const form = document.querySelector('form'), said = form.querySelector('[role=alert]');
const words = JSON.parse(form.dataset.said), button = form.querySelector('button');
form.addEventListener('submit', async event => {
    event.preventDefault();
    button.disabled = true;
    said.textContent = words.looking;
    try {
        const answer = await fetch('login', { method: 'POST', body: new FormData(form) });
        if (answer.ok) { location.reload(); return; }
        said.textContent = answer.status === 400 ? words.wrong : words.lost;
    } catch {
        said.textContent = words.lost;
    }
    button.disabled = false;
});
