import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from jaxgen import catalog
from jaxgen.book import equations as book
from jaxgen.book.readable import readable
from jaxgen.catalog import Passage
from jaxgen.catalog.documents import DOCUMENTS
from jaxgen.catalog.places import place
from jaxgen.errors import UserError


def printed(function, *arguments, width=100):
    stream = io.StringIO()
    function(*arguments, Console(file=stream, width=width))
    return stream.getvalue()


def flat(text):
    """Without the line breaks, which depend on the width."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("width", [60, 80])
def test_the_list_has_two_lines_for_every_entry_and_fits_a_terminal(width):
    text = printed(book.list_equations, width=width)
    lines = [line.rstrip() for line in text.splitlines()]
    for entry in (*catalog.EQUATIONS.values(), *catalog.PASSAGES.values()):
        (line,) = [i for i, line in enumerate(lines) if line.split()[:1] == [entry.id]]
        assert flat(entry.verdict) in flat(lines[line])
        below = flat("".join(lines[line : line + 5]))
        what = entry.title if isinstance(entry, Passage) else readable(entry.corrected)
        assert flat(what) in below and flat(entry.document) in below
    assert max(map(cell_len, lines)) <= width
    assert "\\" not in text and "{" not in text  # no LaTeX


def test_a_terminal_without_greek_gets_words(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    console = Console(file=stream, width=80)
    book.list_equations(console)
    book.show_equation("vae.gaussian-kl", console)
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")
    assert "KL(q_phi(z|x) || p(z)) = 1/2 sum_i (mu_i^2 + sigma_i^2 - 1 - log sigma_i^2)" in text


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{1}{2} x", "1/2 x"),
        (r"\frac{x - \bar{x}}{\sqrt{d_k}}", "(x - x\u0304) / √d_k"),
        (r"\hat x_{t+1}^2 \sim \mathcal{N}(0, I)", "x\u0302_(t+1)^2 ~ N(0, I)"),
        (r"E_{z \sim p_z}[\log D(z)],\quad L = -V", "E_(z ~ p_z)[log D(z)], L = -V"),
        (r"\sum_{u \in K} \exp(l_u / \tau)", "Σ_(u ∈ K) exp(l_u / τ)"),
    ],
)
def test_formulas_as_text(latex, text):
    assert readable(latex) == text


def test_a_page_leads_to_both_forms_and_to_who_is_made_of_them():
    page = printed(book.show_equation, "gan.minimax")
    lines = [line.rstrip() for line in page.splitlines()]
    assert f"  {place(catalog.EQUATIONS['gan.minimax'].function)}  the form to use" in lines
    assert f"  {place(catalog.EQUATIONS['gan.minimax'].printed_function)}  as printed" in lines
    assert re.search(r"families/gan/objective.py:\d+  LOSSES *\n", page)
    assert re.search(r"families/gan/objective.py:\d+  LOSSES, as printed *\n", page)
    assert "001, 4.1; 001: Where generative AI is going" in page


def test_the_page_of_the_documents_is_as_the_catalogue_has_it():
    written = Path(__file__).parents[2] / "docs" / "documents.md"
    assert written.read_text(encoding="utf-8") == book.documents_page()
    assert [each.number for each in DOCUMENTS.values()] == ["000", "001", "002", "003", "004"]


@pytest.mark.parametrize("equation", catalog.EQUATIONS.values(), ids=lambda e: e.id)
def test_a_page_says_everything_that_the_catalogue_knows(equation):
    page = flat(printed(book.show_equation, equation.id))
    texts = [equation.id, equation.document, equation.printed or "not printed", equation.corrected]
    texts += [equation.explanation, equation.paper, equation.link]
    texts += [f"{name}: {shape}" for name, shape in equation.shapes.items()]
    texts += [f"{name} =" for name in equation.example.arguments]
    for text in texts:
        assert flat(text) in page
    assert ("Asprintedgives" in page) == (equation.printed_function is not None)


@pytest.mark.parametrize("passage", catalog.PASSAGES.values(), ids=lambda p: p.id)
def test_a_passage_s_page_says_everything_that_the_catalogue_knows(passage):
    page = flat(printed(book.show_equation, passage.id))
    for text in (passage.id, passage.title, passage.document, passage.verdict, passage.says,
                 passage.wrong, passage.instead, passage.source):  # fmt: skip
        assert flat(text) in page
    assert flat(catalog.PASSAGE_VERDICTS[passage.verdict]) in page
    assert ("Whatiswrongwithit" in page) == (passage.verdict != "right")


def test_a_page_shows_values_and_gradients_of_both_forms():
    page = printed(book.show_equation, "gan.wasserstein-critic-loss")
    right, as_printed = page.split("As printed gives")
    assert "real_scores = [6, 9]" in right
    assert "  value = [-3, -12]" in right
    assert "d(sum of value) / d(fake_scores) = [1, 1]" in right
    assert "  value = [-9, -6]" in as_printed
    assert "d(sum of value) / d(fake_scores) = [-1, -1]" in as_printed


def test_a_page_rounds_to_four_decimals_and_names_the_parts_of_a_result():
    page = printed(book.show_equation, "attention.worked-example")
    assert "weights = [[0.09, 0.2447, 0.6652]," in page
    assert "output = [[8.5752]," in page
    assert "d(sum of output) / d(query) = [[0.4244]," in page
    assert "-0," not in page and "e-" not in page.split("Gives")[1]


def test_a_page_shows_the_printed_forms_own_arguments():
    page = printed(book.show_equation, "gan.saturating-generator")
    assert "fake_logit = -4\n" in re.sub(
        r" +\n", "\n", page.split("Example of the printed form")[1]
    )
    assert "Example of the printed form" not in printed(book.show_equation, "gan.minimax")


def test_an_unknown_id_is_the_users_error():
    with pytest.raises(UserError, match=r"the nearest id is 'vae\.elbo'"):
        printed(book.show_equation, "vae.elb0")


def test_the_markdown_table_has_five_cells_in_every_row():
    lines = book.markdown_table().splitlines()
    assert len(lines) == 2 + len(catalog.EQUATIONS)
    for line in lines:
        assert line.count("|") == 6  # a bare | within a formula would add one
    by_id = {line.split("`")[1]: line for line in lines[2:]}
    for equation in catalog.EQUATIONS.values():
        cells = [cell.strip() for cell in by_id[equation.id].split("|")[1:-1]]
        assert cells[1] == equation.document
        assert cells[3] == equation.verdict
        assert (cells[4] == "the same") == (equation.verdict == "right")
        assert (cells[2] == "not printed") == (equation.verdict == "not printed")
    assert r"KL(q_\phi(z\vert x) \Vert p(z))" in by_id["vae.elbo"]


def test_the_markdown_table_takes_a_selection():
    lines = book.markdown_table([catalog.find("vae.elbo"), catalog.find("attention.scores")])
    assert [line.split("`")[1] for line in lines.splitlines()[2:]] == [
        "vae.elbo",
        "attention.scores",
    ]
