"""Figures: where axes and legends lie, and that the check on their texts finds something."""

from matplotlib.figure import Figure

from rcinterp.studies._drawing import legend_above, new_figure


def test_a_new_figure_has_its_axes_row_by_row(text_problems):
    figure, axes = new_figure(2, 3, width=5, height=7, sharey=True)
    assert figure.get_size_inches().tolist() == [5, 7]
    assert axes == figure.axes
    assert len(axes) == 6
    for ax in axes:
        assert not ax.spines["top"].get_visible()
        assert not ax.spines["right"].get_visible()
    for name in ("one", "other"):
        axes[4].plot([0, 1], [0, 1], label=name)
    legend_above(figure, axes[4], 2)
    assert [text.get_text() for text in figure.legends[0].texts] == ["one", "other"]
    assert text_problems(figure) == []
    assert figure.legends[0].get_window_extent().y0 > max(ax.get_window_extent().y1 for ax in axes)


def test_text_problems_are_found(text_problems):
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "other")
    figure.text(0.98, 0.1, "far too long")
    assert text_problems(figure) == ["far too long", ("one", "other")]
    figure, (ax,) = new_figure(1, 1, width=4, height=4)
    ax.plot([1, 2], label="line")
    assert text_problems(figure) == []
    ax.legend()
    assert text_problems(figure) == ["legend on axes"]
